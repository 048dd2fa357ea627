"""Checks of what a student writes: right about right and wrong, whatever the answer does."""

import inspect
import json
import threading
import time

import pytest
import torch

from quantcore import exercises, words
from quantcore.exercises import CHAPTERS, EXERCISES, c03, keeping, kinds, running
from quantcore.exercises.kinds import Function, Settings, Value, same
from quantcore.exercises.running import call, time_limit
from quantcore.words import LANGUAGES, catalogue

NAMES = list(EXERCISES)
WRONG = [(name, mistake) for name in NAMES for mistake in EXERCISES[name].wrong]
SECONDS = 2  # that a check may take


@pytest.fixture(autouse=True)
def english():
    words.set_language("en")
    yield
    words.set_language("en")


def solution(name):
    """An answer that passes."""
    exercise = EXERCISES[name]
    if isinstance(exercise, Settings):
        return dict(exercise.good)
    return exercise.right() if isinstance(exercise, Value) else exercise.right


def planted(name, mistake):
    """The answer of one who makes that mistake."""
    answer = EXERCISES[name].wrong[mistake]
    return answer() if isinstance(EXERCISES[name], Value) else answer


def checked(name, answer):
    """The verdict, and that it came in time."""
    start = time.process_time()
    verdict = exercises.check(name, answer)
    assert time.process_time() - start < SECONDS
    return verdict


# ---- each exercise --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_right_answer_passes(name):
    verdict = checked(name, solution(name))
    assert verdict.status == "passed" and str(verdict).startswith("Passed.")
    assert "<details>" not in verdict._repr_html_()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "mistake"), WRONG)
def test_a_misconception_is_refused_with_its_own_hint(name, mistake, language):
    words.set_language(language)
    verdict = checked(name, planted(name, mistake))
    assert (verdict.status, verdict.misconception) == ("wrong", mistake)
    hint = catalogue(language)["exercises"][name][mistake]
    assert str(verdict).endswith(hint)


@pytest.mark.parametrize("name", NAMES)
def test_at_least_three_misconceptions_are_known(name):
    assert len(EXERCISES[name].wrong) >= 3


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(EXERCISES[n], Function)])
def test_the_fixed_examples_show_every_misconception(name):
    """What hypothesis generates may change with its version."""
    exercise = EXERCISES[name]
    for mistake, answer in exercise.wrong.items():
        pairs = [[call(f, a)[0] for f in (exercise.right, answer)] for a in exercise.examples]
        assert not all(same(*pair) for pair in pairs), mistake


def stubs(name):
    """What the student finds."""
    exercise = EXERCISES[name]
    if isinstance(exercise, Settings):
        return [None, ..., dict.fromkeys(exercise.good, ...)]
    if isinstance(exercise, Value):
        return [None, ...]

    def not_implemented(*arguments):
        raise NotImplementedError

    return [None, ..., not_implemented, lambda *a: None, lambda *a: ...]


@pytest.mark.parametrize("name", NAMES)
def test_an_untouched_stub_gets_not_yet(name):
    for stub in stubs(name):
        verdict = checked(name, stub)
        assert verdict.status == "untouched" and str(verdict).startswith("Not yet")
        assert verdict.lines == []


def careless(name):
    """Answers that pass where a check looks at too little, by what they are."""
    exercise = EXERCISES[name]
    answers = {"a number": 0, "a text": "x", "an empty dict": {}, "a tensor": torch.zeros(3)}
    if isinstance(exercise, Function):
        constant, _ = call(exercise.right, exercise.examples[0])
        second, _ = call(exercise.right, exercise.tried[-1])
        answers |= {
            "a constant": lambda *a: constant,
            "another constant": lambda *a: second,
            "zero": lambda *a: 0,
            "the identity": lambda first, *others: first,
            "the last argument": lambda *a: a[-1],
            "no argument": lambda: 0,
            "what raises": lambda *a: 1 / 0,
            "what exits": lambda *a: exit(),
        }
        names = list(inspect.signature(exercise.right).parameters)
        coarser = {"bits": lambda b: b - 1, "qmin": lambda q: q // 2, "qmax": lambda q: q // 2}
        coarser |= dict.fromkeys(("s", "scale", "step"), lambda s: 2 * s)
        if changed := [(i, coarser[n]) for i, n in enumerate(names) if n in coarser]:

            def one_bit_coarser(*arguments):
                arguments = list(arguments)
                for i, change in changed:
                    arguments[i] = change(arguments[i])
                return exercise.right(*arguments)

            answers["one bit coarser"] = one_bit_coarser
    if isinstance(exercise, Settings):
        coarser = {"bits": exercise.good["bits"] - 1} if "bits" in exercise.good else {}
        answers["strange settings"] = dict.fromkeys(exercise.good, "x")
        answers["nothing set"] = dict.fromkeys(exercise.good)
        answers["a bit less"] = {**exercise.good, **coarser}
    return answers


@pytest.mark.parametrize("name", NAMES)
def test_careless_answers_are_refused(name):
    for what, answer in careless(name).items():
        assert checked(name, answer).status == "wrong", what


@pytest.mark.parametrize("name", NAMES)
def test_a_check_says_the_same_twice(name):
    mistake = next(iter(EXERCISES[name].wrong))
    for answer in (solution(name), planted(name, mistake), stubs(name)[0]):
        first, second = exercises.check(name, answer), exercises.check(name, answer)
        assert str(first) == str(second) and first._repr_html_() == second._repr_html_()


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_exercise_has_all_its_words_and_no_others(language):
    table = catalogue(language)["exercises"]
    assert sorted(table) == sorted(NAMES)
    for name, entry in table.items():
        assert set(entry) == {"title", "steps", *EXERCISES[name].wrong}, name
        assert len(entry["steps"]) == len(catalogue("zh")["exercises"][name]["steps"]) >= 2


def test_every_misconception_of_the_list_is_caught():
    assert {n for e in EXERCISES.values() for n in e.catches} == set(range(1, 13))


@pytest.mark.parametrize("chapter", [n for n in CHAPTERS if n[:2] < "06"])
def test_a_chapter_has_enough_to_do(chapter):
    assert 3 <= len(CHAPTERS[chapter].EXERCISES) <= 6 and len(CHAPTERS[chapter].PREDICTIONS) >= 4
    for exercise in CHAPTERS[chapter].EXERCISES.values():
        assert 3 <= exercise.minutes <= 10 and exercise.difficulty in (1, 2, 3)


# ---- what is said ---------------------------------------------------------------------------


def test_the_counterexample_is_the_smallest_one():
    verdict = exercises.check("code-range", lambda bits, signed: (0, 2**bits - 1))
    assert verdict.lines[0] == ("smallest counterexample", "bits=2, signed=True")
    assert dict(verdict.lines) | {"expected": "(-2, 1)", "got": "(0, 3)"} == dict(verdict.lines)


def test_an_exception_is_one_message_with_its_line():
    def mine(levels):
        half = levels / 0
        return half

    words.set_language("zh")
    verdict = exercises.check("bits-needed", mine)
    number = mine.__code__.co_firstlineno + 1
    assert str(verdict).splitlines() == [
        "还不对。",
        "  最小的反例：levels=2",
        "  应为：1",
        "  出现了错误：ZeroDivisionError: division by zero",
        f"  第 {number} 行：half = levels / 0",
    ]


def test_what_an_answer_prints_is_caught_and_shown(capsys):
    def mine(levels):
        print("levels =", levels, "." * 10_000)
        return 3

    verdict = exercises.check("bits-needed", mine)
    said = dict(verdict.lines)["it printed"]
    assert said.startswith("levels = 2 ...") and len(said) <= running.MOST_PRINTED
    assert capsys.readouterr().out == ""


def test_what_an_answer_writes_into_its_arguments_reaches_no_other_example():
    def mine(x):
        found = (0.0, x.max().item())
        x.fill_(5)
        return found

    assert exercises.check("range-with-zero", mine).misconception == "from_zero"


def test_an_answer_that_changes_from_call_to_call_is_wrong():
    calls = iter(range(10**9))
    assert exercises.check("bits-needed", lambda levels: next(calls)).status == "wrong"


@pytest.mark.parametrize("where", ["main", "another thread"])
def test_an_answer_that_loops_ends(monkeypatch, where):
    monkeypatch.setattr(kinds, "SECONDS", 0.3)
    verdicts = []

    def loops(levels):
        while True:
            pass

    def ends_sometimes(levels):
        while levels > 4:
            pass
        return 5

    def run():
        for answer in (loops, ends_sometimes):
            try:
                verdicts.append(exercises.check("bits-needed", answer))
            except BaseException as error:  # of a thread nobody would hear
                verdicts.append(error)

    if where == "main":
        run()
    else:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(10)
    assert [verdict.status for verdict in verdicts] == ["slow", "slow"]
    assert "levels=16" in str(verdicts[0])


def test_what_was_found_before_the_time_was_over_is_said(monkeypatch):
    monkeypatch.setattr(kinds, "SECONDS", 0.5)

    def mine(levels):
        while levels > 1000:
            pass
        return 3

    verdict = exercises.check("bits-needed", mine)
    assert verdict.status == "wrong" and "levels=" in str(verdict)


def test_the_alarm_of_somebody_else_is_set_again():
    import signal

    if not hasattr(signal, "SIGALRM"):
        pytest.skip("no SIGALRM on this system")
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    try:
        with time_limit(1):
            pass
        assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    finally:
        signal.signal(signal.SIGALRM, before)


def test_what_is_no_function_is_told_what_is_expected():
    verdict = exercises.check("symmetric-scale", 0.5)
    assert dict(verdict.lines) == {"expected": "lambda x, bits: …", "got": "0.5"}


def test_settings_are_shown_with_what_they_measure():
    verdict = exercises.check("choose-range", EXERCISES["choose-range"].wrong["minmax"])
    assert verdict.lines[:2] == [
        ("your settings", "bits=4, group_size=None, method=minmax"),
        ("expected", "SQNR ≥ 18, bits ≤ 4.5"),
    ]
    strange = exercises.check("choose-range", {"bits": 4, "group_size": 64, "method": "best"})
    assert "method: 'best' is not known" in str(strange) and "line" not in dict(strange.lines)


def test_markup_in_an_answer_is_text():
    page = exercises.check("symmetric-scale", "<b>`x`</b>")._repr_html_()
    assert "<b>" not in page and "&lt;b&gt;" in page


def test_hints_are_folded_one_in_the_other():
    page = exercises.check("zero-point", lambda *a: None)._repr_html_()
    steps = len(catalogue("en")["exercises"]["zero-point"]["steps"])
    assert page.count("<details>") == steps and page.endswith("</details>" * steps + "</div>")
    assert "<code>round(qmin - lo / s)</code>" in page


def test_the_book_says_where_to_do_it(monkeypatch):
    stub = exercises.check("zero-point", ...)
    monkeypatch.setenv("QUANTCORE_STATIC", "1")
    assert str(stub) == catalogue("en")["verdicts"]["untouched-static"]


def test_another_name_is_refused():
    with pytest.raises(LookupError, match="name: 'scale' is not known; use one of"):
        exercises.check("scale", 1)


# ---- the kinds ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "got", "right"),
    [
        (1, 1.0, True),
        (1, torch.tensor(1), True),
        (0.1, torch.tensor(0.1), True),
        (0.1, 0.1001, False),
        (1, True, True),
        (1, "1", False),
        (1, float("nan"), False),
        ((0.0, 1), (0, torch.tensor(1.0)), True),
        ((0.0, 1), (0.0, 1, 2), False),
        ("a", "a", True),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), True),
        (torch.ones(2), torch.ones(2, dtype=torch.int8), False),
        (torch.ones(2), torch.ones(1, 2), False),
        (torch.ones(2, dtype=torch.int8), torch.ones(2), False),
        (torch.ones(2, dtype=torch.int8), torch.ones(2, dtype=torch.int8), True),
    ],
)
def test_what_counts_as_the_same(expected, got, right):
    assert same(expected, got) is right


def test_a_value_is_compared_and_not_given_away():
    value = Value(lambda: 28.0, {"as_e4m3": lambda: 448.0})
    assert value.judge(28).status == "passed" and value.judge(...).status == "untouched"
    found = value.judge(448)
    assert (found.status, found.misconception, found.expected) == ("wrong", "as_e4m3", None)
    assert value.judge(1).misconception is None


# ---- progress -------------------------------------------------------------------------------


def test_nothing_is_written_but_beside_the_students_copies(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    exercises.check("zero-point", c03.zero_point)
    exercises.predict("zero-point-sign").said("-64")
    assert list(tmp_path.iterdir()) == []
    assert str(exercises.progress()) == catalogue("en")["progress"]["elsewhere"]
    assert exercises.progress()._repr_html_().startswith("<p>No progress")


@pytest.fixture
def copies(monkeypatch, tmp_path):
    """A folder of a student's copies, in which the kernel runs."""
    (tmp_path / keeping.GIVEN).write_text("{}", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_progress_is_kept_and_what_was_right_stays_right(copies):
    exercises.check("zero-point", ...)
    assert not (copies / keeping.KEPT).exists(), "an untouched stub is no attempt"
    for answer in (c03.zero_point, lambda *a: 0):
        exercises.check("zero-point", answer)
    exercises.check("symmetric-scale", lambda *a: 0)
    for answer in ("64", "-64", "64", "x"):
        exercises.predict("zero-point-sign").said(answer)
    assert json.loads((copies / keeping.KEPT).read_text("utf-8")) == {
        "exercises": {"symmetric-scale": False, "zero-point": True},
        "predictions": {"zero-point-sign": True},
    }
    assert sorted(p.name for p in copies.iterdir()) == [keeping.GIVEN, keeping.KEPT]
    rows = {row[0]: row[1:] for row in exercises.progress().rows}
    assert list(rows) == list(CHAPTERS)
    asked, done, left = rows["03_params"]
    assert asked == f"1/{len(c03.PREDICTIONS)}" and done == f"1/{len(c03.EXERCISES)}"
    titles = catalogue("en")["exercises"]
    assert titles["symmetric-scale"]["title"] in left and titles["zero-point"]["title"] not in left
    assert "03_params" in str(exercises.progress())
    assert exercises.progress()._repr_html_().count("<tr>") == len(CHAPTERS) + 1


@pytest.mark.parametrize("content", ["", "[]", '{"exercises": 3}', '{"exercises": null}'])
def test_a_file_that_is_none_of_ours_is_begun_anew(copies, content):
    (copies / keeping.KEPT).write_text(content, "utf-8")
    exercises.check("zero-point", c03.zero_point)
    assert keeping.read(copies)["exercises"] == {"zero-point": True}


def test_the_book_keeps_no_progress(copies, monkeypatch):
    monkeypatch.setenv("QUANTCORE_STATIC", "1")
    exercises.check("zero-point", c03.zero_point)
    assert not (copies / keeping.KEPT).exists()


def test_the_file_that_marks_the_copies_is_the_one_that_they_are_given():
    from notebooks import copies

    assert keeping.GIVEN == copies.GIVEN and keeping.KEPT.endswith(".json")
