"""Questions to the learner: predictions, quizzes, drills, mysteries, and lines to put in order."""
