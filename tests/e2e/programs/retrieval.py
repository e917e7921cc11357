"""Answers questions from a few notes, and says how well."""

import json

import dspy

NOTES = (
    "The tower of Pisa leans because the soil under it is soft on one side.",
    "A tide is the rise and fall of the sea, caused by the pull of the moon.",
    "Rust is iron that has met oxygen and water; it takes more room than the iron did.",
    "Bread rises because yeast makes gas from the sugar in the dough.",
    "A cat lands on its feet because its spine is loose and it has no collar bone.",
    "Salt lowers the point at which water freezes, so it keeps streets free of ice.",
)
ASKED = {
    "Why does bread rise?": "yeast makes gas",
    "Why is salt put on streets?": "water freezes later",
    "What causes a tide?": "the pull of the moon",
    "Why does the tower of Pisa lean?": "the soil is soft",
}


def search(query: str, k: int = 2) -> list[str]:
    """The notes that share the most words with the query."""
    words = set(query.lower().strip("?").split())
    return sorted(NOTES, key=lambda note: -len(words & set(note.lower().split())))[:k]


class Answers(dspy.Module):
    """Rewrites the question, looks it up, and answers from what was found."""

    def __init__(self) -> None:
        super().__init__()
        self.rewrite = dspy.Predict("question -> query")
        self.respond = dspy.ChainOfThought("context: list[str], question -> response")

    def forward(self, question: str) -> dspy.Prediction:
        query = self.rewrite(question=question).query
        found = search(f"{question} {query}")
        answered = self.respond(context=found, question=question)
        return dspy.Prediction(context=found, query=query, response=answered.response)


class Judge(dspy.Module):
    """Asks a model whether an answer says what it should."""

    def __init__(self) -> None:
        super().__init__()
        self.judge = dspy.Predict("question, expected, response -> covered: float")

    def forward(self, example: dspy.Example, found: dspy.Prediction, trace: object = None) -> float:
        covered: float = self.judge(
            question=example.question, expected=example.response, response=found.response
        ).covered
        return covered


program = Answers()
devset = [
    dspy.Example(question=question, response=answer).with_inputs("question")
    for question, answer in ASKED.items()
]
evaluate = dspy.Evaluate(devset=devset, metric=Judge(), num_threads=4, display_progress=False)
evaluated = evaluate(program)
answers = [[found.query, found.response, score] for _, found, score in evaluated.results]
print(json.dumps({"score": evaluated.score, "answers": answers}, indent=1))  # noqa: T201 - what a program is for
