import dspy

capital = dspy.Predict("country -> capital")
talk = dspy.Predict("question, history: dspy.History -> answer")
place = dspy.Predict("name -> city: str, founded: int | None")
