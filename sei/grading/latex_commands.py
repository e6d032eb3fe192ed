r"""Commands of LaTeX that begin like an escape of JSON (``\b \f \n \r \t \u``) or of C (``\a \e \v``).

There are three kinds. For some the rest of the name is not text, so the meaning is certain (``\neq``: no line begins
with "eq"). For others the rest is a word or a variable (``\nu``: a line may begin with "u = 4"). All other commands
only show that a backslash was escaped properly.
"""

from __future__ import annotations

from enum import Enum


class Doubt(Enum):
    """The kind of the rest of a command's name: an English word, or a possible variable."""

    WORD = "word"
    VARIABLE = "variable"


WORDS: dict[str, Doubt] = {
    "nu": Doubt.VARIABLE,
    "ne": Doubt.VARIABLE,
    "ni": Doubt.WORD,  # "i" begins lines far more often than \ni occurs
    "not": Doubt.VARIABLE,
    "neg": Doubt.VARIABLE,
    "nmid": Doubt.WORD,
    "nless": Doubt.WORD,
    "nexists": Doubt.WORD,
    "nparallel": Doubt.WORD,
    "nsubset": Doubt.WORD,
    "nsupset": Doubt.WORD,
    "nint": Doubt.WORD,
    "num": Doubt.WORD,
    "nCr": Doubt.VARIABLE,
    "nPr": Doubt.VARIABLE,
    "nth": Doubt.VARIABLE,
    "norm": Doubt.WORD,
    "to": Doubt.VARIABLE,
    "tan": Doubt.WORD,
    "tt": Doubt.WORD,
    "tr": Doubt.VARIABLE,
    "tg": Doubt.VARIABLE,
    "trace": Doubt.WORD,
    "rad": Doubt.WORD,
}
"""Commands with a rest that may be text. The rest of no other command is text."""

RELATIONS = frozenset("ne ni nmid nless nparallel nsubset nsupset to".split())
"""The commands among them that are relations between two terms."""

_B = (
    "backepsilon backprime backsim backsimeq backslash bar barwedge Bbbk because begin beta beth between bf "
    "bfseries big bigcap bigcirc bigcup bigg biggl biggm biggr bigl bigm bigodot bigoplus bigotimes bigr bigskip "
    "bigsqcup bigstar bigtriangledown bigtriangleup biguplus bigvee bigwedge binom blacklozenge blacksquare "
    "blacktriangle bm bmatrix bmod boldmath boldsymbol bot bowtie Box boxdot boxed boxminus boxplus boxtimes "
    "brace bracevert brack breve bullet bumpeq"
)
_F = (
    "fallingdotseq fbox fcolorbox fill flat footnote footnotesize forall frac frak framebox frown fint fontsize "
    "fancyhead flushleft flushright foreach"
)
_N = (
    "nabla natural ncong nearrow newcommand newenvironment newline newpage nexists neq nequiv ngeq ngeqq "
    "ngeqslant ngtr nicefrac nleftarrow nleftrightarrow nleq nleqq nleqslant nobreak nobreakspace nocite noindent "
    "nolimits nolinebreak nonumber nopagebreak normalfont normalsize notag notin nprec npreceq nrightarrow nsim "
    "nsubseteq nsucc nsucceq nsupseteq ntriangleleft ntriangleright nvdash nvDash nwarrow nthroot noalign "
    "nRightarrow nLeftarrow nLeftrightarrow nVdash nVDash nshortmid nshortparallel nsubseteqq nsupseteqq normalcolor "
    "nullity"
)
_R = (
    "raggedleft raggedright raise raisebox rangle rbrace rbrack rceil real Re red ref renewcommand restriction "
    "rfloor rho right rightarrow rightarrowtail rightharpoondown rightharpoonup rightleftarrows rightleftharpoons "
    "rightrightarrows rightsquigarrow rightthreetimes risingdotseq rlap rm rmfamily root rotatebox rtimes rule "
    "rvert rVert rgroup rmoustache rank"
)
_T = (
    "tabular tag tan tanh tau tbinom text textbf textcolor textdegree textdollar textit textmd textnormal "
    "textpercent textrm textsc textsf textsl textstyle textsubscript textsuperscript texttt textup textwidth "
    "tfrac therefore theta thickapprox thicksim thinspace tilde times tiny to top triangle triangledown "
    "triangleleft trianglelefteq triangleq triangleright trianglerighteq twoheadleftarrow twoheadrightarrow tt "
    "ttfamily thetasym textcelsius textdollar texteuro textohm textmu textquotedbl"
)
_U = (
    "ulcorner underbrace underbracket underleftarrow underline underparen underrightarrow underset unlhd unrhd uparrow "
)
_U += "updownarrow upharpoonleft upharpoonright uplus upsilon upuparrows urcorner url usepackage union unit"
_C = "aleph alpha amalg angle approx arccos arcsin arctan arg array ast asymp aligned align "  # \a
_C += "ell emptyset end enspace epsilon eqcirc eqref equiv eta eth euro exists exp ensuremath emph "  # \e
_C += "varepsilon vartheta varphi varpi varrho varsigma vdash vdots vec vee veebar vert Vert vspace varnothing vmatrix "
_OTHER = (
    "cdot cdots cap cup circ cong cos cot csc cbrt cases cfrac check chi choose colon complement coprod color "
    "dagger ddot ddots deg delta det dfrac diamond dim displaystyle div dot dots downarrow ldots le left leq ge "
    "geq gg gamma gcd hat hbar hline hspace hfill iff iiint iint imath implies in inf infty int intercal iota "
    "item itshape jmath kappa ker label lambda land langle large lbrace lceil leftarrow lfloor lg lim liminf "
    "limsup ll ln log lor lvert mapsto mathbb mathbf mathcal mathfrak mathit mathrm mathsf max mbox mid min mod "
    "mp mu odot omega operatorname oplus otimes over overbrace overline overrightarrow parallel partial perp phi "
    "pi pm pmod prec prime prod propto psi qquad quad quicksort sec setminus sigma sim sin sinh cosh sqcap sqcup "
    "sqrt stackrel star subset subseteq succ sum sup supset supseteq surd swarrow wedge widehat widetilde wp wr "
    "xi zeta Delta Gamma Lambda Omega Phi Pi Psi Sigma Theta Upsilon Xi Leftarrow Leftrightarrow Rightarrow "
    "Longrightarrow longrightarrow hphantom phantom substack lcm gcf mathbin mathop middle Big Bigg Bigl Bigr "
    "small cancel dbinom ddfrac pmatrix vphantom"
)

CERTAIN = frozenset(" ".join((_B, _F, _N, _R, _T, _U, _C)).split()) - frozenset(WORDS)
"""Commands that begin like an escape, with a rest that is not text."""

KNOWN = CERTAIN | frozenset(WORDS) | frozenset(_OTHER.split())
"""All commands that show a properly escaped backslash."""
