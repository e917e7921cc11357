"""Letters to a shop: sorted, read closely, and answered; learned from a few that were marked."""

import json
from typing import Literal

import dspy
from pydantic import BaseModel

LETTERS = (
    "My kettle came broken on Monday. I want my 30 euros back.",
    "Do you have the blue lamp in a larger size?",
    "Thank you for the quick delivery, the chair is lovely.",
    "Invoice 4711 was charged twice, please look into it.",
    "The drill stopped after two days and the shop in Lyon was closed.",
)


class Item(BaseModel):
    name: str
    count: int
    condition: Literal["new", "used", "broken"]


class Facts(BaseModel):
    items: list[Item]
    is_angry: bool


class Sort(dspy.Signature):
    """Which desk should read the letter."""

    letter: str = dspy.InputField()
    desk: Literal["refunds", "sales", "thanks", "accounts"] = dspy.OutputField()
    urgency: int = dspy.OutputField(desc="1 to 100")


class Extract(dspy.Signature):
    """What the letter is about."""

    letter: str = dspy.InputField()
    desk: str = dspy.InputField()
    facts: Facts = dspy.OutputField()
    names: list[str] = dspy.OutputField()


class Office(dspy.Module):
    def __init__(self) -> None:
        super().__init__()
        self.sort = dspy.ChainOfThought(Sort)
        self.extract = dspy.Predict(Extract)
        self.reply = dspy.Predict("letter, desk, names: list[str] -> reply")

    def forward(self, letter: str) -> dspy.Prediction:
        sorted_ = self.sort(letter=letter)
        found = self.extract(letter=letter, desk=sorted_.desk)
        reply = self.reply(letter=letter, desk=sorted_.desk, names=found.names).reply
        return dspy.Prediction(
            desk=sorted_.desk, urgency=sorted_.urgency, facts=found.facts, reply=reply
        )


def is_prompt(_: dspy.Example, found: dspy.Prediction, trace: object = None) -> bool:
    return bool(found.urgency > 10)


marked = [dspy.Example(letter=letter).with_inputs("letter") for letter in LETTERS[:3]]
office = dspy.BootstrapFewShot(metric=is_prompt, max_bootstrapped_demos=2).compile(
    Office(), trainset=marked
)
answered = office.batch(
    [dspy.Example(letter=letter).with_inputs("letter") for letter in LETTERS[3:]],
    num_threads=2,
    disable_progress_bar=True,
)
read = [[each.desk, each.urgency, each.facts.model_dump(), each.reply] for each in answered]
print(json.dumps(read, indent=1))  # noqa: T201 - what a program is for
