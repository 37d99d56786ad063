"""A system prompt is improved over batches, and reverted when validation falls (TextGrad's tutorial on prompts)."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import refiner.compat.textgrad as tg
from refiner.compat.textgrad.tasks import load_task

random.seed(12)
llm_api_eval = tg.get_engine(engine_name="gpt-4o")
llm_api_test = tg.get_engine(engine_name="gpt-3.5-turbo-0125")
tg.set_backward_engine(llm_api_eval, override=True)
train_set, val_set, test_set, eval_fn = load_task("BBH_object_counting", evaluation_api=llm_api_eval)
print(len(train_set), len(val_set), len(test_set))
train_loader = tg.tasks.DataLoader(train_set, batch_size=3, shuffle=True)
system_prompt = tg.Variable(
    train_set.get_task_description(), requires_grad=True, role_description="system prompt to the language model"
)
model = tg.BlackboxLLM(llm_api_test, system_prompt)
optimizer = tg.TextualGradientDescent(engine=llm_api_eval, parameters=[system_prompt])


def answered(item: Any) -> tuple[tg.Variable, tg.Variable]:
    x = tg.Variable(str(item[0]), requires_grad=False, role_description="query to the language model")
    y = tg.Variable(str(item[1]), requires_grad=False, role_description="correct answer for the query")
    return model(x), y


def loss_of(item: Any) -> tg.Variable:
    response, y = answered(item)
    return eval_fn(inputs={"prediction": response, "ground_truth_answer": y})


def accuracy(data: Any) -> float:
    with ThreadPoolExecutor(max_workers=2) as executor:
        right = [int(loss.value) for loss in executor.map(loss_of, [data[index] for index in range(4)])]
    return sum(right) / len(right)


results = [accuracy(val_set)]
prompts = [system_prompt.get_value()]
for steps, (batch_x, batch_y) in enumerate(train_loader):
    optimizer.zero_grad()
    total_loss = tg.sum([loss_of(item) for item in zip(batch_x, batch_y, strict=True)])
    total_loss.backward()
    optimizer.step()
    performance = accuracy(val_set)
    if performance < results[-1]:
        print("rejected")
        system_prompt.set_value(prompts[-1])
        performance = results[-1]
    results.append(performance)
    prompts.append(system_prompt.get_value())
    if steps == 1:
        break
print(results, system_prompt)
