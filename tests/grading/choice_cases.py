"""Multiple-choice outputs, each with the gold letter, the options and the expected verdict."""

from __future__ import annotations

PAREN = ("(A)10", "(B)12", "(C)13", "(D)15", "(E)20")
HALF_PAREN = ("A) 10", "B) 12", "C) 13", "D) 15", "E) 20")
PLAIN = ("10", "12", "13", "15")
DOTTED = ("A. 10", "B. 12", "C. 13", "D. 15")
TOWNS = ("A: Paris", "B: Rome", "C: Madrid", "D: New York")
WORDS = ("(A) increasing", "(B) decreasing", "(C) constant", "(D) periodic")
SHARES = ("(A) 1/4", "(B) 1/2", "(C) 2/3", "(D) 3/4")
SPEEDS = ("(A) 10 km/h", "(B) 12 km/h", "(C) 15 km/h", "(D) 18 km/h", "(E) 20 km/h")
MONEY = ("A) $1,200", "B) $1,250", "C) $1,500", "D) $2,000")
ROOTS = (r"(A) $\sqrt{2}$", r"(B) $2\sqrt{2}$", r"(C) $\sqrt{3}$", r"(D) $2\sqrt{3}$")

# fmt: off
CHOICES: list[tuple[str, tuple[str, ...], str, str]] = [
    # a letter in a sentence
    ("B", PAREN, "The answer is (B).", "right"),
    ("B", PAREN, "The answer is B.", "right"),
    ("B", PAREN, "The answer is: B", "right"),
    ("B", PAREN, "The answer is (C).", "wrong"),
    ("C", PAREN, "The correct option is **C**.", "right"),
    ("C", PAREN, "The correct option is **D**.", "wrong"),
    ("C", HALF_PAREN, "Option C", "right"),
    ("C", HALF_PAREN, "Option B", "wrong"),
    ("C", HALF_PAREN, "Choice_C", "right"),
    ("C", HALF_PAREN, "Choice_A", "wrong"),
    ("E", PAREN, "Therefore, the correct choice is (E).", "right"),
    ("D", HALF_PAREN, "Adding the parts gives the total.\n\n**Answer: D**", "right"),
    ("D", HALF_PAREN, "Adding the parts gives the total.\n\n**Answer: A**", "wrong"),
    ("D", DOTTED, "Answer: D", "right"),
    ("D", DOTTED, "The best answer is D.", "right"),
    ("D", DOTTED, "The best answer is B.", "wrong"),
    ("D", PAREN, "The correct answer is option (D).", "right"),
    ("B", PAREN, "So the final answer is (B) 12.", "right"),
    ("B", HALF_PAREN, "The answer is B) 12.", "right"),
    ("B", HALF_PAREN, "The answer is D) 15.", "wrong"),
    ("B", PAREN, "A total of 3 rows of 4 apples is counted. The answer is (B).", "right"),
    ("A", PAREN, "A total of 3 rows of 4 apples is counted. The answer is (B).", "wrong"),
    ("B", PAREN, "3 * 4 = 12\n#### B", "right"),
    ("B", PAREN, "3 * 5 = 15\n#### D", "wrong"),
    ("C", TOWNS, "The correct answer is C: Madrid.", "right"),
    ("C", TOWNS, "The correct answer is B: Rome.", "wrong"),
    # a letter alone
    ("B", PLAIN, "B", "right"),
    ("B", PLAIN, "(B)", "right"),
    ("B", PLAIN, "B.", "right"),
    ("B", PLAIN, "C", "wrong"),
    ("B", DOTTED, "B. 12", "right"),
    ("B", DOTTED, "A. 10", "wrong"),
    ("B", PAREN, "(B)12", "right"),
    ("B", PAREN, "**B**", "right"),
    ("(B)", PAREN, "The answer is (B).", "right"),
    ("(B)", PAREN, "The answer is (A).", "wrong"),
    # a letter in a box
    ("B", PAREN, r"\boxed{B}", "right"),
    ("B", PAREN, r"\boxed{C}", "wrong"),
    ("B", PAREN, r"$\boxed{\text{B}}$", "right"),
    ("B", PAREN, r"$\boxed{\text{(B)}}$", "right"),
    ("B", PAREN, r"$\boxed{\text{(E)}}$", "wrong"),
    ("B", PAREN, r"$\boxed{(B)}$", "right"),
    ("B", PAREN, r"$\boxed{\mathrm{B}}$", "right"),
    ("B", PAREN, r"$\boxed{\textbf{(B)}\ 12}$", "right"),
    ("B", PAREN, r"$\boxed{\textbf{(C)}\ 13}$", "wrong"),
    ("B", HALF_PAREN, r"$\boxed{B) 12}$", "right"),
    ("D", TOWNS, r"\boxed{\text{D}}", "right"),
    ("B", PAREN, "At first it looks like \\boxed{A}.\nBut two apples are missing, so it is \\boxed{B}.", "right"),
    ("A", PAREN, "At first it looks like \\boxed{A}.\nBut two apples are missing, so it is \\boxed{B}.", "wrong"),
    # a value in a box
    ("B", PAREN, r"\boxed{12}", "right"),
    ("B", PAREN, r"\boxed{13}", "wrong"),
    ("B", PLAIN, r"$\boxed{12}$", "right"),
    ("B", PLAIN, r"$\boxed{15}$", "wrong"),
    ("B", DOTTED, r"$\boxed{12.0}$", "right"),
    ("B", SHARES, r"$\boxed{\frac{1}{2}}$", "right"),
    ("B", SHARES, r"$\boxed{0.5}$", "right"),
    ("B", SHARES, r"$\boxed{\frac{3}{4}}$", "wrong"),
    ("B", SHARES, r"$\boxed{0.25}$", "wrong"),
    ("E", SPEEDS, r"The speed is $\boxed{20}$ km/h.", "right"),
    ("E", SPEEDS, r"The speed is $\boxed{20 \text{ km/h}}$.", "right"),
    ("E", SPEEDS, r"The speed is $\boxed{18 \text{ km/h}}$.", "wrong"),
    ("B", MONEY, r"He pays $\boxed{\$1,250}$.", "right"),
    ("B", MONEY, r"He pays $\boxed{1250}$.", "right"),
    ("B", MONEY, r"He pays $\boxed{\$1,500}$.", "wrong"),
    ("B", ROOTS, r"The diagonal is $\boxed{2\sqrt{2}}$.", "right"),
    ("B", ROOTS, r"The diagonal is $\boxed{\sqrt{8}}$.", "right"),
    ("B", ROOTS, r"The diagonal is $\boxed{2\sqrt{3}}$.", "wrong"),
    ("A", TOWNS, r"\boxed{\text{Paris}}", "right"),
    ("A", TOWNS, r"\boxed{Paris}", "right"),
    ("A", TOWNS, r"\boxed{\text{Madrid}}", "wrong"),
    ("D", TOWNS, r"\boxed{\text{new york}}", "right"),
    # a value in a sentence
    ("B", PAREN, "The answer is 12.", "right"),
    ("B", PAREN, "The answer is 12 dollars.", "right"),
    ("B", HALF_PAREN, "The answer is 15 dollars.", "wrong"),
    ("B", MONEY, "The answer is $1,250.", "right"),
    ("D", MONEY, "The answer is 2000 dollars.", "right"),
    ("A", TOWNS, "The answer is Paris.", "right"),
    ("A", TOWNS, "The answer is Rome.", "wrong"),
    ("B", WORDS, "The answer is decreasing.", "right"),
    ("B", WORDS, "The answer is increasing.", "wrong"),
    # thinking
    ("B", PAREN, "<think>Is it \\boxed{A}? No.</think>\nThe answer is (B).", "right"),
    ("A", PAREN, "<think>Is it \\boxed{A}? No.</think>\nThe answer is (B).", "wrong"),
    ("B", PAREN, "<think>12 is there, so the answer is (B).", "unreadable"),
    # no choice made
    ("B", PAREN, "", "unreadable"),
    ("B", PAREN, "   \n", "unreadable"),
    ("B", PAREN, "I don't know.", "unreadable"),
    ("B", HALF_PAREN, "I'm sorry, but I can't choose.", "unreadable"),
    ("B", TOWNS, r"\boxed{}", "unreadable"),
    ("B", PAREN, "The answer is:", "unreadable"),
    ("B", WORDS, "Let's go through this step by step.", "unreadable"),
]
# fmt: on
