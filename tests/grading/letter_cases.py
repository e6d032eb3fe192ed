"""Answers in which a single letter, its case or a sign after it decides, as pairs and as whole outputs."""

from __future__ import annotations

# fmt: off
EQUAL: list[tuple[str, str]] = [
    # the last letter of a formula is a variable
    ("15h+20", "20+15h"),
    ("2ab", "2ba"),
    ("2l+2w", "2w+2l"),
    ("t^2-3t", "t(t-3)"),
    (r"\sin(2t)", r"2\sin t\cos t"),
    (r"\pi r^2 h", r"\pi h r^2"),
    (r"6\sqrt{2}", r"6\sqrt{2}\text{ m}"),
    (r"36\pi", r"36\pi\text{ m}^2"),
    (r"10\sqrt{2}", r"10\sqrt{2}\text{ m/s}"),
    (r"5\pi", r"5\pi\text{ miles per hour}"),
    (r"2\sqrt{3}", r"2\sqrt{3}cm"),
    (r"\frac{\sqrt{3}}{4}", r"\frac{\sqrt{3}}{4}\text{ m/min}"),
    (r"5\pi", r"5\pi\text{ s}"),
    (r"T=4\sqrt{2}", r"T=4 \sqrt{2} \mathrm{~s}"),
    ("5", "5m"),
    # the constant of an integral, and the name before an equals sign
    (r"x / 2-\sin (2 x) / 4+C", r"x / 2-\sin (2 x) / 4+c"),
    ("y=C_1e^x", "y=c_1 e^x"),
    ("y=c e^{x}", "y = C e^x"),
    ("P=2l+2w", "p=2l+2w"),
    # factorials
    ("n!", "n(n-1)!"),
    ("5!", "120"),
    # Greek letters are variables of inequalities
    (r"[0,\pi)", r"0\le\theta<\pi"),
    (r"\lambda>1", r"(1,\infty)"),
    (r"0<\alpha<1", r"1>\alpha>0"),
    # an equation of two coordinates is no value of one
    ("y=\\frac{x}{2}", "x=2y"),
    # bases
    ("1011_2", "1011 in base 2"),
    ("1011_2", r"1011_{\text{two}}"),
    (r"4321_{\text{five}}", "4321_5"),
    ("2A_{16}", "2A"),
    # repeating decimals
    (r"\frac{2}{3}", r"0.\dot{6}"),
    (r"\frac{2}{3}", "0.(6)"),
    (r"\frac16", r"0.1\dot{6}"),
    (r"\frac16", "0.1(6)"),
    (r"\frac{1}{7}", r"0.\dot{1}4285\dot{7}"),
    # digit groups
    ("1234567", r"1\!,\!234\!,\!567"),
    ("1234567", "1.234.567"),
    # other spellings of LaTeX
    (r"{5 \choose 2}", "10"),
    (r"\lg 100", "2"),
    (r"\ln 2", r"\log_e 2"),
    # products of letters are no words
    ("xyz", "zyx"),
    ("abc", "bca"),
    ("xy-zw", "yx-wz"),
    # durations
    ("2 hours 30 minutes", "2 hours and 30 minutes"),
    (r"2\text{ hours }30\text{ minutes}", r"2\text{ h }30\text{ min}"),
    (r"3\text{ R }2", r"3\text{ remainder }2"),
    (r"\text{does not exist}", r"\text{DNE}"),
    # vectors
    (r"\begin{pmatrix}-7\\16\\5\end{pmatrix}", r"\left\langle -7,16,5\right\rangle"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)"),
]

DIFFERENT: list[tuple[str, str]] = [
    (r"\pi r^2 h", r"\pi r^2"),
    ("-16t^2+64t", "-16t^2+64"),
    (r"\frac{a+b}{2}h", r"\frac{a+b}{2}"),
    ("3t", "3s"),
    ("d = 60t", "d=60"),
    ("(1+2t,3t)", "(1+2t,3)"),
    ("20 + 15h", "35"),
    ("15 + 2 h", "17"),
    ("C = 15 + 2 h", "C = 15+2"),
    # the case of a letter
    (r"\pi(R^2-r^2)", "0"),
    ("R-r", "r-R"),
    (r"\frac{R}{r}", "1"),
    (r"\frac{1}{2}(B+b)h", "bh"),
    (r"4\pi r^2", r"4\pi R^2"),
    (r"\sin R", r"\sin r"),
    # factorials
    ("n!", "n"),
    ("2^n n!", "2^n n"),
    ("m!n!", "m!n"),
    # coordinates
    ("x=5", "y=5"),
    ("y=3", "x=3"),
    (r"y=\frac12", r"x=\frac12"),
    # bases
    ("1011_2", "1011_3"),
    ("1011_2", "1011 in base 3"),
    (r"4321_{\text{five}}", "4321_6"),
    # repeating decimals and digit groups
    (r"\frac{2}{3}", "0.(3)"),
    ("1234567", "1.234.568"),
    # letters of triangles and words are no products
    ("tea", "eat"),
    ("two", "tow"),
    ("c+C", "2c"),
    (r"Solution is: $(x, y)=(\frac{10}{13}, 1)$", r"Solution is: $(X, Y)=(\frac{10}{13}, 1)$"),
    ("SAS", "SSA"),
    # durations and vectors
    ("2 hours 30 minutes", "3 hours and 20 minutes"),
    (r"3\text{ R }2", r"2\text{ remainder }3"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", "(2,1)"),
    (r"\begin{pmatrix}1&2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
]

OUTPUTS: list[tuple[str, str, str]] = [
    ("n", "The number of ways is $n!$.", "wrong"),
    ("n!", "The number of ways is $n!$.", "right"),
    ("5", "So there are 5 apples!", "right"),
    ("5", r"The length is $\boxed{5m}$.", "right"),
    ("36", r"The area is $\boxed{36m^2}$.", "right"),
    ("5", r"It needs $\boxed{5L}$.", "right"),
    ("5", r"It needs $\boxed{5x}$.", "wrong"),
    (r"\frac{\sqrt{3}}{2} s", r"The height is $\boxed{\frac{\sqrt{3}}{2}}$.", "wrong"),
    (r"2\sqrt{3}", r"The height is $\boxed{2\sqrt{3}m}$.", "right"),
    (r"2+\sqrt{3}", r"The height is $\boxed{2+\sqrt{3} m}$.", "right"),
    ("10^8", "The distance is about 1.5 × 10^8 km.", "wrong"),
    ("1.5\\times 10^8", "The distance is 1.5 × 10⁸ km.", "right"),
    ("1.5\\times 10^8", "The distance is 1.5 · 10^8 km.", "right"),
    ("0.00032", "The mass is 3.2 × 10^-4 kg.", "right"),
    # of several boxes the last counts: MATH has such gold answers
    ("2", r"Hence $x=\boxed{1}$ or $x=\boxed{2}$.", "right"),
    ("2, 6, 11", r"So the values are $\boxed{2}$, $\boxed{6}$ and $\boxed{11}$.", "right"),
    ("4", r"So $a=\boxed{3}$ and $b=\boxed{4}$.", "right"),
    ("5", r"the answer is \boxed{4}. wait, actually \boxed{5}", "right"),
    ("7", r"The price is \boxed{7}, \boxed{7}.", "right"),
    ("2", "He has 2 and a third of them are red.", "right"),
    # the sign of a sentence
    ("12-p", "So the answer is 12-p!", "right"),
    ("a", "So the answer is a!", "right"),
    (r"50\%", r"So it is $\boxed{50\%!}$", "right"),
    (r"(-\infty,1]", r"So it is $\boxed{(-\infty,1]!}$", "right"),
    # names
    ("Evelyn", "Angela is faster than Evelyn.", "wrong"),
    ("Evelyn", "The answer is Evelyn, because her ratio is the greatest.", "right"),
    ("Evelyn", "**Evelyn** is the fastest.", "right"),
    ("Evelyn", "So the fastest is Evelyn.", "right"),
    # bases
    ("1011", "So the number is 1011 in base 2.", "right"),
    ("1011", "The binary representation is 1011 (base 2).", "right"),
    ("1011_2", "The answer is 1011 in base 2.", "right"),
    ("2", "So the number is 1011 in base 2.", "wrong"),
    ("2 hours 30 minutes", "It takes 2 hours and 30 minutes.", "right"),
    ("2.5", "It takes 2 and a half hours.", "right"),
    ("2", "It takes 2 and a half hours.", "wrong"),
    ("2.5", "The answer is 2 and a half hours.", "right"),
    ("2", "The answer is 2 and a half hours.", "wrong"),
]

PRIMES = ("51", "57", "59", "63")
BOTH = ("A only", "B only", "Both A and B", "Neither A nor B")
CHOICES: list[tuple[str, tuple[str, ...], str, str]] = [
    # a box without a letter, and a line that gives the letter
    ("D", PRIMES, "So \\boxed{\\langle H\\rangle \\ll \\Delta E}.\n\n**Answer: D**", "right"),
    ("C", PRIMES, "So \\boxed{58}.\n\nThe answer is C.", "right"),
    ("C", PRIMES, "First, $3\\cdot 17=\\boxed{51}$ is composite.\n\n**Answer: C**", "right"),
    ("A", PRIMES, "First, $3\\cdot 17=\\boxed{51}$ is composite.\n\n**Answer: C**", "wrong"),
    ("C", PRIMES, "So \\boxed{C}.\n\n**Answer: B**", "right"),
    ("C", PRIMES, "So \\boxed{59}.\n\nThe answer is a prime.", "right"),
    ("C", PRIMES, "A resposta correta é a C.", "right"),
    ("B", PRIMES, r"\boxed{B!}", "right"),
    ("B", PRIMES, "B!", "right"),
    # the words of an option in the last line
    ("C", BOTH, "Both A and B", "right"),
    ("A", BOTH, "Both A and B", "wrong"),
]
# fmt: on
