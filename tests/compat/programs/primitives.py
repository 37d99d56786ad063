"""Variable, engine, loss and optimizer one by one (TextGrad's tutorial on primitives)."""

from refiner.compat.textgrad import Variable
from refiner.compat.textgrad.engine import get_engine
from refiner.compat.textgrad.loss import TextLoss
from refiner.compat.textgrad.optimizer import TextualGradientDescent

x = Variable("A sntence with a typo", role_description="The input sentence", requires_grad=True)
print(len(x.gradients))
engine = get_engine("gpt-3.5-turbo")
print(engine.generate("Hello how are you?"))
system_prompt = Variable("Evaluate the correctness of this sentence", role_description="The system prompt")
loss = TextLoss(system_prompt, engine=engine)
optimizer = TextualGradientDescent(parameters=[x], engine=engine)
evaluation = loss(x)
evaluation.backward(engine)
optimizer.step()
print(len(x.gradients), len(system_prompt.gradients))
optimizer.zero_grad()
print(len(x.gradients), x.value)
