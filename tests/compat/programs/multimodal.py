"""An answer to a question about an image is improved by a model that sees it (TextGrad's tutorial on images)."""

from base64 import b64decode

import refiner.compat.textgrad as tg
from refiner.compat.textgrad.autograd import MultimodalLLMCall
from refiner.compat.textgrad.loss import ImageQALoss

tg.set_backward_engine("gpt-4o")
image_data = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
image_variable = tg.Variable(image_data, role_description="image to answer a question about", requires_grad=False)
question_variable = tg.Variable("What is in this image?", role_description="question", requires_grad=False)
response = MultimodalLLMCall("gpt-4o")([image_variable, question_variable])
loss_fn = ImageQALoss(evaluation_instruction="Is this a complete answer for the image? Criticize.", engine="gpt-4o")
loss = loss_fn(question=question_variable, image=image_variable, response=response)
optimizer = tg.TGD(parameters=[response])
loss.backward()
optimizer.step()
print(response.value)
