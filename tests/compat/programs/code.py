"""Code is improved by a loss of one's own over the problem and the code (TextGrad's tutorial on code)."""

import refiner.compat.textgrad as tg

llm_engine = tg.get_engine("experimental:openai/gpt-4o")
tg.set_backward_engine(llm_engine, override=True)
code = tg.Variable(value="def double(x):\n    return x + 2", requires_grad=True, role_description="code to optimize")
problem = tg.Variable("Double a number.", requires_grad=False, role_description="the coding problem")
optimizer = tg.TGD(parameters=[code])

loss_system_prompt = tg.Variable(
    "You evaluate code.", requires_grad=False, role_description="system prompt to the loss function"
)
format_string = "{instruction}\nProblem: {{problem}}\nCurrent Code: {{code}}".format(instruction="Is the code right?")
formatted_llm_call = tg.autograd.FormattedLLMCall(
    engine=llm_engine,
    format_string=format_string,
    fields={"problem": None, "code": None},
    system_prompt=loss_system_prompt,
)


def loss_fn(problem: tg.Variable, code: tg.Variable) -> tg.Variable:
    role = f"evaluation of the {code.get_role_description()}"
    return formatted_llm_call(inputs={"problem": problem, "code": code}, response_role_description=role)


loss = loss_fn(problem, code)
loss.backward()
loss.generate_graph(print_gradients=True)
optimizer.step()
print(code.value)
