"""A solution is improved by the errors that a model finds in it (TextGrad's tutorial on solutions)."""

import refiner.compat.textgrad as tg

tg.set_backward_engine(tg.get_engine("gpt-4o"))
solution = tg.Variable("2x + 6 = 10, so x = 8.", requires_grad=True, role_description="solution to the math question")
loss_system_prompt = tg.Variable(
    "Identify errors of the solution. Do not solve it yourself.", requires_grad=False, role_description="system prompt"
)
loss_fn = tg.TextLoss(loss_system_prompt)
optimizer = tg.TGD([solution])

loss = loss_fn(solution)
loss.backward()
optimizer.step()
print(solution.value)
