"""The data sets available as files: class, rows of the test split, rows of the training split."""

from __future__ import annotations

from sei.data import competition, exams, school

SETS = {
    "gsm8k": (school.Gsm8k, 1319, 7473),
    "gsm_hard": (school.GsmHard, 1319, None),
    "svamp": (school.Svamp, 300, 700),
    "asdiv": (school.Asdiv, 2305, None),
    "mawps_parts": (school.MawpsParts, 2065, None),
    "math": (competition.Math, 5000, 7498),  # two training rows have empty boxes
    "math500": (competition.Math500, 500, None),
    "olympiadbench": (competition.OlympiadBench, 675, None),
    "minerva_math": (competition.MinervaMath, 272, None),
    "amc23": (competition.Amc23, 40, None),
    "aime24": (competition.Aime24, 30, None),
    "college_math": (exams.CollegeMath, 2818, None),
    "tal_scq": (exams.TalScq, 2000, None),
    "gaokaobench_math": (exams.GaokaoBenchMath, 507, None),  # one row's answer is garbled
    "sat_math": (exams.SatMath, 220, None),
    "aqua": (exams.Aqua, 254, None),
    "mmlu_stem": (exams.MmluStem, 3018, None),
}
