"""What was tried and how it went, told as it happens."""

from student import RefusedError


class Checks:
    def __init__(self):
        self.number, self.wrong = 0, []

    def note(self, what, good, how=""):
        print(f"{'as it should be' if good else 'NOT AS IT SHOULD':16}  {what}{how and ': '}{how}", flush=True)
        self.number += 1
        if not good:
            self.wrong.append(what)

    async def allowed(self, what, attempt):
        try:
            await attempt
            self.note(what, True, "allowed")
        except RefusedError as error:
            self.note(what, False, str(error)[:200])

    async def refused(self, what, attempt, *statuses, because=""):
        try:
            await attempt
            self.note(what, False, "DONE")
        except RefusedError as error:
            good = error.status in (statuses or (403, 404)) and because in str(error)
            self.note(what, good, f"refused, {error.status}")
