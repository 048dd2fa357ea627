# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # Quantization schemes: which codes there are, and how to pack them into bytes
#
# A student quantizes 7 billion float32 weights to INT8 and expects the file to shrink from 28 GB to 7 GB. The program reports no error, and every value is an integer from $-128$ to $127$. Yet the saved file is still 28 GB. He switches to an integer type and then to INT4. Now the file is 7 GB, where 3.5 GB was expected. Where did the bytes go?
#
# To answer this, we only have to count codes correctly: how many there are, which is the least and which the greatest, how many bits each takes, and how many bytes they take in a file. Which real number each code stands for is set by the scale and the zero point. That is the subject of [the next chapter](03_params.ipynb).
#
# Counting looks easy. Still, the code in many tutorials, which we call the tutorial code, miscounts in three places: it divides by 0, it gives the bit width one bit too few, and it stores four times as much as needed. We will meet these three errors one by one, first the damage and then the repair.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students answer first: 7 billion weights at 4 bits, how large is the file? Write it on the board.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **After this chapter you can:**
#
# - write down the range, the number of levels and the bit width of any integer scheme;
# - say what each of $2^b$, $2^b - 1$, $2^{b-1}$ and $2^{b-1} - 1$ counts;
# - convert codes between signed and unsigned, and between 8 bits and 4 bits;
# - write your own functions to pack and unpack 4-bit codes, and work out how large the file really is;
# - say where the reconstructed values of FP16, bfloat16, FP8, FP4 and NF4 lie, which data each format suits, and how many bits a weight takes with its scale included.

# %% [markdown] slideshow={"slide_type": "skip"}
# | section | time |
# |:--|:--|
# | 1 Integer grids | 26 minutes |
# | 2 Converting codes | 10 minutes |
# | 3 Packing into bytes | 20 minutes |
# | 4 Unevenly spaced grids | 30 minutes |
# | Exercises | 30 minutes |
# | Summary | 4 minutes |
# | ★ optional | 5 minutes |

# %% slideshow={"slide_type": "skip"}
import io
import math

import numpy as np
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import entropy, exercises, explore, float_levels, lloyd_max, nf4_levels
from quantcore import pack_int4, samples, sqnr_db, unpack_int4
from quantcore.quantizer import fit
from quantcore.schemes import format_levels, rint, round_to_levels
from quantcore.sheet import BLUE, GRAY, GREEN, RED, Sheet

# %% slideshow={"slide_type": "skip"}
explore.set_language("en")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 Integer grids
#
# ### Range, number of levels, bit width
#
# Here a [**quantization scheme**](glossary.ipynb#Quantization) is a set of consecutive integers from $q_{\min}$ to $q_{\max}$. It is described by:
#
# - the **bit width** $b$: how many bits a code takes;
# - the **number of levels** $L$: how many codes there are;
# - the **range**: the least and the greatest code.
#
# One bit has two states, 0 and 1, so $b$ bits have $2^b$. We write the bits as $d_{b-1} \dots d_1 d_0$.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Write “number of levels”, “gaps” and “bit width” separately on the board. Today's mistakes all come from mixing them up.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Unsigned** integers are ordinary binary numbers; bit $i$ has the weight $2^i$:
#
# $$
# q = \sum_{i=0}^{b-1} d_i\, 2^i
# $$
#
# The least has all bits 0, the greatest all bits 1. By the geometric series,
#
# $$
# q_{\min} = 0, \qquad q_{\max} = 1 + 2 + \dots + 2^{b-1} = 2^b - 1
# $$
# [[S2](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Signed** integers use **two's complement**. It changes one thing: the weight of the top bit becomes negative.
#
# $$
# q = -d_{b-1}\, 2^{b-1} + \sum_{i=0}^{b-2} d_i\, 2^i
# $$
#
# The least has a top bit of 1 and the rest 0, the greatest the reverse:
#
# $$
# q_{\min} = -2^{b-1}, \qquad q_{\max} = 2^{b-1} - 1
# $$
# [[S1](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# A more intuitive way is **sign and magnitude**: the top bit is only a sign, the others hold the magnitude. Here are the 8 states of 3 bits, read in all three ways:

# %% tags=["fold"] slideshow={"slide_type": "fragment"}
print("bits   unsigned   two's complement   sign and magnitude")
for pattern in range(8):
    top, rest = pattern >> 2, pattern & 0b11
    sign = "-" if top else "+"
    print(f"{pattern:03b} {4 * top + rest:9} {-4 * top + rest:14} {sign:>17}{rest}")

# %% [markdown] slideshow={"slide_type": "notes"}
# The same 8 states, read differently, have different values. **A bit pattern has no sign of its own; the reading supplies it.**

# %% [markdown] slideshow={"slide_type": "skip"}
# Now we check the formulas for the range. With scale 1 and zero point 0 we quantize the integers from $-40000$ to $39999$. Values beyond the range undergo [**clipping**](glossary.ipynb#Quantizers-and-integer-arithmetic), also called saturation: each is replaced by the nearer end. (Truncation is something else; it drops the fraction.) The helper below makes a quantizer from given parameters; `fit(x, b)`, used later, finds the parameters from data and makes a quantizer of $b$ bits.

# %% slideshow={"slide_type": "skip"}
def integer_quantizer(scale, zero, qmin, qmax):
    return UniformQuantizer(QuantizationParams(torch.tensor(scale), torch.tensor(zero), qmin, qmax))

# %% tags=["fold"] slideshow={"slide_type": "skip"}
sweep = torch.arange(-40_000.0, 40_000.0)
print("          levels           qmin             qmax         (predicted, measured)")
for scheme in (s for s in QuantizationScheme if s.levels == 2**s.bit_width):
    b = scheme.bit_width
    ends = (-(2 ** (b - 1)), 2 ** (b - 1) - 1) if scheme.signed else (0, 2**b - 1)
    codes = integer_quantizer(1.0, 0, *scheme.value).quantize(sweep)
    reached = codes.min().item(), codes.max().item()
    print(f"{scheme.name:5} {2**b:7} {len(codes.unique()):6} {ends[0]:8} {reached[0]:6}", end="")
    print(f" {ends[1]:8} {reached[1]:6}   {codes.dtype}")

# %% [markdown] slideshow={"slide_type": "skip"}
# The last column is the type that stores a code. No 4-bit type in torch supports ordinary arithmetic, so INT4 codes live in `int8`, a whole byte each. Section 3 works out what that costs.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why two's complement is lopsided
#
# The number of levels is even. Zero takes one, and the odd number that is left cannot be split evenly between the signs. In two's complement the top bit of 0 is 0, so there is one more negative code.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask: in int8, what is the negative of -128? Most say 128.

# %% [markdown] slideshow={"slide_type": "notes"}
# Sign and magnitude is even-handed, at the price of having 0 twice, as `+0` and `-0`. Two's complement has only one 0, and addition can ignore the signs: add two codes in binary and drop the carry (take the remainder modulo $2^b$). If the true sum is in the range, the result is correct.

# %% [markdown]
# **[Think]** In `int8`, what is $-(-128)$? And $\lvert -128 \rvert$?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Both are $-128$. $+128$ is beyond the range, and modulo 256 it is back at $-128$. So an absolute value comes out negative, without any error message.
#
# </details>

# %% tags=["predict", "fold"] slideshow={"slide_type": "fragment"}
int8_codes = torch.tensor([-128, -127, -1, 127], dtype=torch.int8)
for name, value in (("q", int8_codes), ("-q", -int8_codes), ("|q|", int8_codes.abs())):
    print(f"{name:3}", *(f"{v:6}" for v in value.tolist()))

# %% [markdown] slideshow={"slide_type": "notes"}
# So [**symmetric**](glossary.ipynb#Parameters) quantization often leaves out the code $-2^{b-1}$ and uses only $-127$ to $127$, the **restricted range**. It has two advantages. First, wherever $q$ is available, so is $-q$. Second, products are a little smaller, sometimes just enough: some programs add two products in 16 bits before they accumulate in 32 ([Jacob et al., 2018](references.ipynb)). Does the sum of two products fit into `int16`?

# %% tags=["fold"] slideshow={"slide_type": "skip"}
limit = torch.iinfo(torch.int16).max
for a, b in ((-128, -128), (-127, -128)):
    print(f"2 · ({a}) · ({b}) = {2 * a * b}   int16 ends at {limit}   fits: {2 * a * b <= limit}")

# %% [markdown] slideshow={"slide_type": "skip"}
# Here the codes themselves are multiplied. With the zero point subtracted they need 9 bits, and `int16` cannot hold even one product; see [Integers only](04b_integer.ipynb).
#
# The signed schemes of this course keep $-2^{b-1}$. When the scale comes from the largest magnitude and nothing is clipped, no value uses this code. When the range is narrower than the data, clipped negative values do.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Which divisor?
#
# **[Predict]** With 8 bits, the scale follows from the largest magnitude of the data: $s = \max\lvert x\rvert/N$. No value may be clipped. Should $N$ be 127, 128, 255 or 256? Is it the same for signed and unsigned codes? Enter $N$ for signed codes.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Each of the four will get some hands. Let each group say what it counted.

# %%
exercises.predict("divisor")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Signed: 127. Unsigned: 255. The reason follows.
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# First, what does each number count?
#
# | expression | $b = 8$ | what it counts |
# |:--|:--|:--|
# | $2^b$ | 256 | the levels |
# | $2^b - 1$ | 255 | the gaps between neighboring levels; also the greatest unsigned code |
# | $2^{b-1}$ | 128 | the magnitude of the least signed code |
# | $2^{b-1} - 1$ | 127 | the greatest signed code |

# %% [markdown] slideshow={"slide_type": "notes"}
# In symmetric quantization the zero point is 0, and the [reconstructed value](glossary.ipynb#Quantization) is $\hat x = s\,q$. The largest magnitude falls exactly on the greatest code if $\max\lvert x\rvert = s\,q_{\max}$. So $N = q_{\max}$: **127 for signed codes, 255 for unsigned ones**. This is the rule that clips nothing.

# %% [markdown] slideshow={"slide_type": "skip"}
# What do other divisors do to the [**SQNR**](glossary.ipynb#Information-theory) (signal-to-quantization-noise ratio)? Let $x$ be uniform on $[-1, 1]$, with signal power $1/3$. Without clipping, the noise power is $s^2/12 = 1/(12N^2)$, so
#
# $$
# \mathrm{SQNR} = 10\log_{10}\frac{1/3}{1/(12N^2)} = 10\log_{10}(4N^2)\ \text{dB}
# $$
#
# For unsigned codes we take $\lvert x\rvert$, with the same power and formula. Not every row below agrees with it.

# %% tags=["predict"] slideshow={"slide_type": "skip"}
uniform = samples.distribution("uniform", 10**6) / 3**0.5
print("scheme      N   predicted   measured, dB")
for scheme, data in ((QuantizationScheme.INT8, uniform), (QuantizationScheme.UINT8, uniform.abs())):
    for n in (127, 127.5, 128, 255, 256):
        measured = sqnr_db(data, integer_quantizer(1 / n, 0, *scheme.value)(data))
        print(f"{scheme.name:6} {n:6} {10 * math.log10(4 * n**2):11.2f} {measured:10.2f}")
print(f"INT8 with N = 255, clipping alone: {10 * math.log10(8):.2f} dB")

# %% [markdown] slideshow={"slide_type": "notes"}
# - **INT8 divided by 255**: the greatest code is only 127, so the range ends at about $\pm\tfrac12$. Values beyond are clipped, with the error $\lvert x\rvert - \tfrac12$ and the mean square $\int_{1/2}^{1}(x - \tfrac12)^2\,\mathrm{d}x = \tfrac1{24}$. This leaves an SQNR of $10\log_{10} 8$, the last line.
# - **UINT8 divided by 127 or 128**: nothing is clipped, but half the codes are idle: one bit wasted, about 6 dB.
# - **INT8 divided by 127.5 or 128**: the step is a little finer, 128 clips the largest values a little, and it is almost a draw. Both are conventions in use. The difference is negligible at 8 bits and large at 2; [the next chapter](03_params.ipynb) compares them.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The divisor of the tutorial code
#
# Many tutorials try to serve all schemes with a single line:
#
# ```
# q_range = min(abs(scheme.qmin), scheme.qmax)
# ```
#
# What does this line give for UINT8?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Do not run it. Let students work it out for unsigned, and then look at the error.

# %% slideshow={"slide_type": "fragment"}
relu = samples.distribution("relu")
for scheme in (QuantizationScheme.INT8, QuantizationScheme.INT4, QuantizationScheme.UINT8):
    q_range = min(abs(scheme.qmin), scheme.qmax)
    print(f"{scheme.name:5}   q_range {q_range:3}   ", end="")
    try:
        print(f"scale {relu.abs().max().item() / q_range:.4f}")
    except ZeroDivisionError as error:
        print("ZeroDivisionError:", error)

# %% [markdown] slideshow={"slide_type": "notes"}
# This is the first miscount: the $q_{\min}$ of an unsigned scheme is 0, and the divisor becomes 0. After a ReLU (the function that replaces negative numbers by 0) no value is negative. An unsigned grid suits such data best ([Nagel et al., 2021](references.ipynb)), and yet the line fails for it.

# %% [markdown] slideshow={"slide_type": "skip"}
# The rule that clips nothing has two cases. For signed codes, $s = \max\lvert x\rvert / (2^{b-1}-1)$. For unsigned codes, $s = \max x / (2^b-1)$, and no value may be negative. An unsigned grid with zero point 0 cannot represent negative values, and refusing them is better than clipping them silently. (PyTorch's “symmetric uint8” takes $z = 128$ and so accepts them.)

# %% tags=["fold"] slideshow={"slide_type": "skip"}
params = QuantizationParams.from_tensor(relu, QuantizationScheme.UINT8)
print(f"scale: predicted {relu.max().item() / 255:.5f}, measured {params.scale.item():.5f}")
try:
    QuantizationParams.from_tensor(relu - 1, QuantizationScheme.UINT8)
except ValueError as error:
    print("ValueError:", str(error).split(";")[-1].strip())

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### When the number of levels is no power of 2
#
# The tutorial code works back from the number of levels to the bit width: `int(np.log2(levels))`.
#
# **[Compute]** INT8 in the restricted range has 255 levels, and ternary weights $\{-1, 0, 1\}$ have 3. How many bits does each need? How many does the tutorial code give? Enter the number of bits that ternary weights need.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# How many bits do three levels take? Whoever says 1 rounded down.

# %%
exercises.predict("ternary-bits")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $b$ bits tell $2^b$ levels apart. So the bit width of $L$ levels is the least integer with $2^b \ge L$:
#
# $$
# b = \lceil \log_2 L \rceil
# $$
#
# 255 levels need 8 bits, and 3 levels need 2. `int` rounds down to 7 bits and 1 bit, which are too few. For powers of 2 both ways agree, so the error is easily missed.
#
# </details>

# %% tags=["predict", "fold"] slideshow={"slide_type": "fragment"}
print("levels   log2   int(log2)   holds   bits needed   hold")
for levels in (256, 255, 16, 15, 3):
    bits, needed = int(np.log2(levels)), math.ceil(math.log2(levels))
    print(f"{levels:6} {math.log2(levels):6.2f} {bits:11} {2**bits:7} {needed:13} {2**needed:6}")
print("quantcore, 3 levels:", QuantizationScheme.TERNARY.bit_width, "bits")

# %% [markdown] slideshow={"slide_type": "notes"}
# This is the second miscount: 255 levels stored in 7 bits, which hold only 128 codes. `quantcore` takes no logarithm. It counts the binary digits of $L - 1$ in integer arithmetic.
#
# The table's second column is the most information that a code can carry: its [**entropy**](glossary.ipynb#Information-theory) with all codes equally likely. A ternary weight carries at most 1.58 bits, yet takes 2 at fixed length. Grouping codes wastes less: 5 ternary codes have $3^5 = 243$ combinations, which fit into one byte, so each takes 1.6 bits. A Huffman code, of variable length, can save too, but takes at least 1 bit for each code; see [Rate–distortion](01b_rate_distortion.ipynb).

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Move the sliders
#
# The figure's upper row shows the codes, the lower row their values. The bold vertical line is the zero point, the orange bar the range of the data, $[-1, 2]$.
#
# **[Try]** Before each move, write down what you predict.
#
# 1. We start with 4 bits, signed, symmetric. How many codes are idle? (`unused`, below the figure)
# 2. Untick “symmetric”. Are any codes still idle? Where is the zero point now?
# 3. Stay at 4 bits and switch between symmetric and asymmetric. What is the ratio of the two steps, roughly?
# 4. Untick “signed” and tick “symmetric”. Why has the range of the data become $[0, 2]$?

# %% slideshow={"slide_type": "subslide"}
explore.grid(bits=4, signed=True, symmetric=True)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Go to 2 bits, symmetric, let students count the lines of the codes, and ask at which end a code is not used.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 1. A symmetric grid is equally wide on both sides, but the data end at $-1$. $s = 2/7$ and $-1/s = -3.5$, so the 4 codes from $-8$ to $-5$ are certainly idle, and $-4$ is just at the edge.
# 2. None. The zero point has moved to $-3$: there are 5 codes to the left of 0 and 10 to the right, which match $-1$ and $2$.
# 3. Symmetric, $s = 2/7$; asymmetric, $s = 3/15$. Their ratio is $10/7$, about 1.43. The more lopsided the data, the greater the difference.
# 4. An unsigned grid with zero point 0 has no negative values and would refuse $[-1, 2]$, so the figure takes other data.
#
# </details>

# %% tags=["fold"] slideshow={"slide_type": "skip"}
print("             s predicted, measured   z predicted, measured")
ends = torch.tensor([-1.0, 2.0])
for name, s, z in (("symmetric", 2 / 7, 0), ("asymmetric", 3 / 15, round(-8 + 1 / 0.2))):
    p = fit(ends, 4, name == "symmetric").params
    print(f"{name:10} {s:12.4f} {p.scale.item():9.4f} {z:13} {p.zero_point.item():9}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 Converting codes
#
# ### Signed and unsigned
#
# Some hardware computes only with `uint8`, some only with `int8`. How do we convert the same weights from one to the other?
#
# $\hat x = s\,(q - z)$ depends only on the **difference** of $q$ and $z$. Add the same number to both, and $\hat x$ stays as it is:
#
# $$
# q_u = q + 2^{b-1}, \qquad z_u = z + 2^{b-1}
# $$

# %% [markdown] slideshow={"slide_type": "notes"}
# The codes $-128 \dots 127$ become $0 \dots 255$. In bits it is even simpler. Write two's complement as $q = -d\,2^{b-1} + r$, where $d$ is the top bit and $r$ the value of the others:
#
# $$
# q + 2^{b-1} = (1 - d)\,2^{b-1} + r
# $$
#
# The other bits stay; only **the top bit flips**, a single exclusive or (XOR).

# %% [markdown] slideshow={"slide_type": "notes"}
# What if we do nothing, and read the bits of `int8` as `uint8`? The last column below shows the result.

# %% tags=["fold"] slideshow={"slide_type": "fragment"}
q = torch.tensor([-128, -3, -1, 0, 5, 127], dtype=torch.int8)
pattern = q.view(torch.uint8)
print("   q       bits   q + 128   top bit flipped   bits read as uint8")
for row in zip(q.tolist(), pattern.tolist(), (q.int() + 128).tolist(), (pattern ^ 0x80).tolist()):
    print(f"{row[0]:4}   {row[1]:08b} {row[2]:9} {row[3]:17} {row[1]:20}")

# %% [markdown] slideshow={"slide_type": "skip"}
# The two columns in the middle agree everywhere. The last one fails: codes that are not negative stay, negative ones grow by 256, and the order is lost.
#
# We check this with data. After a correct conversion, not one reconstructed value has changed; reading the bits directly ruins the signal. (Note `q.int()`: in `int8`, adding 128 would wrap around.)

# %% tags=["fold"] slideshow={"slide_type": "skip"}
laplace = samples.distribution("laplace")
int8 = fit(laplace, 8, symmetric=False)
uint8 = integer_quantizer(int8.params.scale.item(), int8.params.zero_point.item() + 128, 0, 255)
q_laplace = int8.quantize(laplace)
converted = uint8.dequantize((q_laplace.int() + 128).to(torch.uint8))
reread = uint8.dequantize(q_laplace.view(torch.uint8))
print("x_hat is the same:", torch.equal(converted, int8.dequantize(q_laplace)))
print(f"converted {sqnr_db(laplace, converted):.2f} dB, reread {sqnr_db(laplace, reread):.2f} dB")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### From 8 bits to 4 bits
#
# From 4 bits to 8 there is nothing to do: every INT4 code is a valid INT8 code, $s$ and $z$ stay, and nothing is lost.
#
# From 8 bits to 4 there is always a loss. Take $z = 0$ first. The simplest choice is $s_4 = 16\,s_8$, which leaves a division by 16. (The rule that clips nothing would give a factor of $127/7 \approx 18.1$. With 16, codes of $q \ge 120$ round to 8 and are clipped to 7.) There are two ways:
#
# - a right shift by 4 bits, `q >> 4`, which is $\lfloor q/16 \rfloor$, rounded down;
# - division by 16 with **rounding** to the nearest integer, then clipping to $[-8, 7]$.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Compare the shift with rounding: by what factor does the noise differ? Most guess twice.

# %% [markdown]
# **[Predict]** The noise power of the shift is how many times that of rounding? Can decoding remove the extra noise, with the codes unchanged?

# %%
exercises.predict("shift-noise")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# About 3.6 times. Yes, it can: add $7.5\,s_8$ to every value when decoding. The derivation follows.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# We compute in units of $s_8^2$. Suppose that the remainders of $q$ modulo 16, 0 to 15, are equally frequent, and few codes are clipped. The shift drops the remainder $k$; rounding drops $-7$ to $8$. The error of the 8-bit quantization is uncorrelated with what is dropped, so its power, $1/12$, is added:
#
# $$
# D_{\text{shift}} = \frac{1}{16}\sum_{k=0}^{15} k^2 + \frac{1}{12} = 7.5^2 + \frac{16^2}{12}, \qquad
# D_{\text{round}} = \frac{1}{16}\sum_{k=-7}^{8} k^2 + \frac{1}{12}
# $$
#
# $D_{\text{shift}}$ is written as “squared mean plus variance”. The shift makes the values too small by $7.5\,s_8$ on average; what remains is exactly the quantization noise of a step of 16. So the shift loses no more information than rounding; it brings in a **bias**. Add it back when decoding, $\hat x = s_8\,(16\,q_4 + 7.5)$, and the bias is gone.

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
sources = [127 * x / x.abs().max() for x in (samples.distribution("normal", 10**6), uniform)]
rounded = sum(k * k for k in range(-7, 9)) / 16 + 1 / 12
print("noise / s8^2   predicted   normal   uniform   mean error, normal")
for name, predicted, way in (
    ("shift", 7.5**2 + 16**2 / 12, lambda u: 16 * (rint(u).int() >> 4)),
    ("shift, + 7.5", 16**2 / 12, lambda u: 16 * (rint(u).int() >> 4) + 7.5),
    ("round", rounded, lambda u: 16 * rint(rint(u) / 16).clamp(-8, 7)),
    ("direct", 16**2 / 12, lambda u: 16 * rint(u / 16).clamp(-8, 7)),
):
    errors = [(u - way(u)).double() for u in sources]
    normal_noise, uniform_noise = (e.square().mean().item() for e in errors)
    print(f"{name:12} {predicted:11.1f} {normal_noise:8.1f} {uniform_noise:9.1f}", end="")
    print(f" {errors[0].mean().item():12.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# - With a plain shift nearly all errors lean to one side. The noise power is 3.6 times that of rounding, a loss of about 5.6 dB.
# - With $7.5\,s_8$ added in decoding, the shift is at least as good as direct quantization. The real price is that 0 is no longer a reconstructed value: the grid has turned from mid-tread into [mid-rise](01b_rate_distortion.ipynb).
# - Quantizing to 8 bits and then rounding to 4 is slightly worse than direct quantization, because it rounds twice.
# - Uniform data reach both ends. Rounding and direct quantization clip some of them, so the noise exceeds the formula.

# %% [markdown] slideshow={"slide_type": "notes"}
# Beware of bias more than of noise of equal power: in a sum of $n$ values, biases add up to $n$ times as much, uncorrelated noise only to $\sqrt n$ times.

# %% [markdown] slideshow={"slide_type": "skip"}
# With a zero point, subtract it first and then convert:
#
# $$
# q_4 = \operatorname{clamp}\!\left(\operatorname{rint}\frac{q - z}{16} + z_4,\; -8,\; 7\right)
# $$
#
# Here rint rounds to the nearest integer (for halves see [The uniform quantizer](04_quantizer.ipynb)), and $z_4$ may be $\operatorname{rint}(z/16)$. If $q$ and $z$ are rounded separately, the two rounding errors do not cancel, and all values are shifted to one side, by up to half a step:

# %% slideshow={"slide_type": "skip"}
shifted = samples.distribution("normal") + 1.8
asymmetric = fit(shifted, 8, symmetric=False)
q8 = asymmetric.quantize(shifted).int()
s8, z8 = asymmetric.params.scale, asymmetric.params.zero_point
z4 = rint(z8 / 16)
print("z8 =", z8.item(), "  z4 =", int(z4))
for name, q4 in (("q and z apart", rint(q8 / 16)), ("q - z", rint((q8 - z8) / 16) + z4)):
    x_hat = 16 * s8 * (q4.clamp(-8, 7) - z4)
    off = (shifted - x_hat).mean() / (16 * s8)
    print(f"{name:13}   {sqnr_db(shifted, x_hat):5.2f} dB   mean error {off:z.2f} s4")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 Packing into bytes
#
# ### Two 4-bit codes in one byte
#
# A byte is the smallest unit of memory that can be read or written. 4 bits are half a byte, a **nibble**. To really save half of the memory, we have to **pack** two codes into one byte, and **unpack** them when they are needed.
#
# For a negative number we keep the low 4 bits of its two's complement, that is, its remainder modulo 16. ONNX, a standard file format for exchanging models between frameworks, puts **the first code in the low 4 bits** and the second in the high 4 ([ONNX, 2024](references.ipynb)):
#
# $$
# \text{byte} = (q_0 \bmod 16) + 16\,(q_1 \bmod 16)
# $$
# [[S3](06_summary.ipynb#All-formulas)]

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Draw one byte, split into two halves, on the board, and let students fill in -3 and 5.

# %% [markdown]
# To unpack, take out $\text{byte} \bmod 16$ and $\lfloor \text{byte}/16 \rfloor$, then restore the sign. Call what was taken out $r$. If $r \ge 8$, the top bit is 1 and the code was negative:
#
# $$
# q = \begin{cases} r, & r < 8 \\ r - 16, & r \ge 8 \end{cases}
# $$

# %% [markdown] slideshow={"slide_type": "skip"}
# In code, packing and unpacking take two or three lines each. `& 0xF` keeps the low 4 bits, `<< 4` multiplies by 16, and `[0::2]` picks the entries 0, 2, 4, …:

# %% slideshow={"slide_type": "skip"}
def pack(codes):  # an even number of int8 codes
    nibbles = (codes & 0xF).to(torch.uint8)
    return nibbles[0::2] | nibbles[1::2] << 4


def unpack(packed):
    nibbles = torch.stack([packed & 0xF, packed >> 4], dim=1).flatten().to(torch.int8)
    return torch.where(nibbles < 8, nibbles, nibbles - 16)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** The codes $-3$ and $5$ are packed into a byte. What is it in hexadecimal? How many bytes do the five codes $1, -2, 7, -8, 3$ take when packed, and what are they? (Below, choose the bytes of the five codes, in hexadecimal.)

# %%
exercises.predict("pack-five-codes")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $-3 \bmod 16 = 13$, which is D in hexadecimal, goes into the low nibble, and 5 into the high one. The byte is `0x5D`. In memory $-3$ comes first; in the written byte, 5 does. This is where the two are most easily swapped.
#
# Five codes take $\lceil 5/2 \rceil = 3$ bytes. The last nibble is left over and filled with 0: `0xE1`, `0x87`, `0x03`.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
pair = torch.tensor([-3, 5], dtype=torch.int8)
five = torch.tensor([1, -2, 7, -8, 3], dtype=torch.int8)
print(f"{pack(pair).item():#04x}", unpack(pack(pair)).tolist())
print("five codes:", [f"{byte:#04x}" for byte in pack_int4(five).tolist()])
print("read as 6: ", unpack_int4(pack_int4(five), (6,)).tolist())

# %% [markdown] slideshow={"slide_type": "notes"}
# The bytes alone do not tell 5 codes from 6, so **the shape has to be stored separately**. This is why `unpack_int4` in `quantcore` asks for a shape. Now an exhaustive test: we unpack all 256 values of a byte, pack them again, and compare with `quantcore`.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
every = torch.arange(256, dtype=torch.int32).to(torch.uint8)
print("unpack then pack:    ", torch.equal(pack(unpack(every)), every))
print("same as unpack_int4: ", torch.equal(unpack(every), unpack_int4(every, (512,))))
print("same as pack_int4:   ", torch.equal(pack(unpack(every)), pack_int4(unpack(every))))

# %% [markdown] slideshow={"slide_type": "slide"}
# ### When unpacking goes wrong
#
# The order in a byte is only a convention. Some libraries put the first code in the high nibble; some add 8 first, so that the codes become unsigned; some put 8 codes into one `int32`. If you get the convention wrong, no error is reported.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Guess the accuracy first. The class will laugh, because reading wrongly is worse than guessing; let them think about why.

# %% [markdown] slideshow={"slide_type": "notes"}
# We take a network trained to recognize handwritten digits (its terms are explained in [Just enough about networks](00_start.ipynb#Just-enough-about-networks)). `network[5]` is its last layer. It multiplies 512 features by a weight matrix of 10 rows and adds a bias, which gives 10 scores. The digit with the highest score (argmax) is the network's answer. We quantize only this layer's weights to INT4 and pack them, then unpack them in three ways. All other layers stay as they are.

# %% [markdown]
# **[Predict]** How much accuracy is left after each of these two mistakes? (There are 10 digits, and guessing gives 10%.)
#
# 1. High and low nibbles are exchanged: neighboring weights swap places.
# 2. The sign is not restored: negative codes are read as 8 to 15.

# %% slideshow={"slide_type": "skip"}
network = samples.digits_network()
w, bias = network[5].weight, network[5].bias
int4 = fit(w, 4)
q_w = int4.quantize(w)
packed = pack_int4(q_w)
print(tuple(w.shape), "weights;", q_w.dtype, q_w.nbytes, "bytes; packed", packed.nbytes)

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
_, _, images, labels = samples.digits()
features, s = network[:5](images), int4.params.scale
readings = {
    "float32": w,
    "int4": s * unpack_int4(packed, w.shape),
    "nibbles swapped": s * unpack_int4((packed >> 4) | (packed << 4), w.shape),
    "sign forgotten": s * unpack_int4(packed, w.shape, signed=False),
}
for name, weight in readings.items():
    correct = ((features @ weight.T + bias).argmax(1) == labels).double().mean().item()
    print(f"{name:15}   SQNR {sqnr_db(w, weight):6.1f} dB   correct {correct:4.0%}")

# %% [markdown] slideshow={"slide_type": "notes"}
# With correct unpacking and only the last layer in INT4, the network is about as accurate as before. With wrong unpacking it is useless, in the second case worse than guessing, and no error is reported. An SQNR below 0 dB means that the noise is stronger than the signal.
#
# The table shows one more thing. The SQNR of the weights is only about 16.5 dB, yet the accuracy hardly suffers. **SQNR measures the error of the numbers, which is not the loss in the task.** When it is negative, the task almost certainly suffers. When it changes by a decibel or two, the task may or may not follow, so the task must be measured separately. The comparisons of formats below use SQNR, too.
#
# Whenever you write a pair of functions that pack and unpack, test two things first: the round trip of all 256 byte values, and one example written out by hand, such as `0x5D` above. The round trip alone cannot show that your convention is the opposite of everyone else's.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Counting the real bytes
#
# $n$ codes **stored** in $b$ bits each take $\lceil n\,b/8 \rceil$ bytes in all. [[N1](06_summary.ipynb#All-formulas)] Here $b$ is the bit width in storage, which need not be that of the scheme.
#
# The `quantize` of the tutorial code rounds, clips and returns the result at once, with its type unchanged:

# %% slideshow={"slide_type": "skip"}
scale = w.abs().max() / 127
tutorial_codes = torch.clamp(torch.round(w / scale), -128, 127)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** This layer has 5120 weights. Each of the five tensors below is saved in a file of its own. How many bytes does each take? (The header that `np.save` writes has 128 bytes.)
#
# 1. the original float32 weights;
# 2. the “INT8” codes of the tutorial code, `tutorial_codes`;
# 3. the INT8 codes of `quantcore`;
# 4. the INT4 codes of `quantcore`, not packed;
# 5. the INT4 codes, packed.
#
# Put files 2, 4 and 5 in order, smallest first.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let each group order the five files on a slip of paper. The usual mistake is to think that the 2nd is already smaller.

# %%
exercises.predict("file-sizes")

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def file_bytes(tensor):
    buffer = io.BytesIO()
    np.save(buffer, tensor.numpy())
    return buffer.tell()

# %% tags=["predict", "fold"] slideshow={"slide_type": "fragment"}
files = {
    "1 float32 weights": (w, 32),
    "2 tutorial's INT8": (tutorial_codes, 32),
    "3 INT8 codes": (fit(w, 8).quantize(w), 8),
    "4 INT4 codes": (q_w, 8),
    "5 INT4 codes, packed": (packed, 4),
}
print("                       dtype           predicted   measured   7 · 10^9 weights, GB")
for name, (tensor, b) in files.items():
    predicted, measured = math.ceil(w.numel() * b / 8) + 128, file_bytes(tensor)
    print(f"{name:22} {str(tensor.dtype):15} {predicted:9} {measured:10} {7 * b / 8:12.1f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# This answers the question at the beginning:
#
# - Row 2 is the third miscount. The values are integers, but the type is still float32, and not one byte is saved. **To see whether codes are INT8, look at their type, not at their values.**
# - Row 4: INT4 codes kept in `int8` take as much as INT8. The scheme has 4 bits, the storage 8.
# - Row 5: only after packing is the file an eighth of the float32 one (the little extra is the header).

# %% [markdown] slideshow={"slide_type": "skip"}
# The header, the shape and the scales take space as well. One scale for the whole layer adds only 4 bytes. When each group of weights has a scale, there are many more, and Section 4 counts them into the bits per weight.
#
# Finally we read the file back and unpack it. Every code is as it was.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
buffer = io.BytesIO()
np.save(buffer, packed.numpy())
buffer.seek(0)
restored = unpack_int4(torch.from_numpy(np.load(buffer)), w.shape)
print("codes restored exactly:", torch.equal(restored, q_w), restored.dtype)

# %% [markdown] slideshow={"slide_type": "notes"}
# **[Think]** How would you pack 3-bit codes? Why are 4 bits much more common in practice than 3?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $3n$ has to be divisible by 8, so the smallest unit is 8 codes in 3 bytes. The 3rd and the 6th code straddle a byte boundary, and unpacking them joins a few bits from each of two bytes. 4-bit codes never straddle: one shift and one bitwise AND unpack them.
#
# There is a simpler way: 10 codes of 3 bits in 32 bits. 2 bits stay empty, and each code really takes 3.2 bits.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 Unevenly spaced grids
#
# Integer grids are evenly spaced. Must a grid be? Keep the number of bits, place the reconstructed values elsewhere, and you have another [**number format**](glossary.ipynb#Number-formats).
#
# ### Small floats
#
# A float has 1 sign bit, $w_{\mathrm e}$ bits of **exponent** and $w_{\mathrm m}$ bits of **mantissa**. The names of FP8 and FP4 formats state both: E2M1 has 2 exponent bits and 1 mantissa bit, 4 bits with the sign, hence FP4. Read the exponent field as an unsigned integer $E$, the mantissa field as another, $T$, and let the exponent bias be $\mathrm{bias} = 2^{w_{\mathrm e}-1} - 1$:
#
# $$
# \lvert x \rvert = \begin{cases}
# 2^{\,E - \mathrm{bias}}\left(1 + \dfrac{T}{2^{w_{\mathrm m}}}\right), & E \ge 1 \\[2ex]
# 2^{\,1 - \mathrm{bias}} \cdot \dfrac{T}{2^{w_{\mathrm m}}}, & E = 0
# \end{cases}
# $$
# [[S4](06_summary.ipynb#All-formulas)]

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Begin with float16 and bfloat16, which students know, and shrink them to 4 bits.

# %% [markdown] slideshow={"slide_type": "notes"}
# The first line gives the normal numbers, the second the **subnormal** ones, which have no 1 in front and so include 0. Their exponent is $1-\mathrm{bias}$, not $0-\mathrm{bias}$, which joins them up with the normal ones ([IEEE, 2019](references.ipynb); [Open Compute Project, 2023](references.ipynb)).

# %% slideshow={"slide_type": "skip"}
def float_value(E, T, w_e, w_m):
    bias = 2 ** (w_e - 1) - 1
    return 2.0 ** (E - bias) * (1 + T / 2**w_m) if E else 2.0 ** (1 - bias) * T / 2**w_m

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** E2M1 has 8 nonnegative values. Write them down. How does the gap between neighbors change?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let somebody draw the values on a line, first from 0.5 to 1, then from 1 to 2.

# %% tags=["predict", "fold"] slideshow={"slide_type": "fragment"}
fp4 = [float_value(E, T, 2, 1) for E in range(4) for T in range(2)]
print("by the formula", fp4)
print("quantcore     ", [v for v in float_levels(2, 1).tolist() if v >= 0])
print("different values:", len(float_levels(2, 1)), " codes:", 2**4)

# %% [markdown] slideshow={"slide_type": "notes"}
# The gap goes from 0.5 to 1 to 2, doubling at 2 and at 4. Floats have a sign bit, as in sign and magnitude. So $+0$ and $-0$ take two codes, and 16 codes have only 15 values.

# %% [markdown] slideshow={"slide_type": "notes"}
# The usual floats follow the same formula with other widths. FP16 is E5M10. **bfloat16** is E8M7, with as many exponent bits as float32 and so as wide a range. FP8 comes in two kinds ([Micikevicius et al., 2022](references.ipynb)). E5M2 follows the conventions of IEEE 754, as FP16 and bfloat16 do: exponent bits that are all 1 are reserved for infinity and NaN. E4M3 has no infinity: codes with exponent bits of all 1 are ordinary numbers, and NaN only if the mantissa is all 1 too, so its maximum is $2^{8} \cdot 1.75$. We check the formula on every positive code of each format against torch:

# %% tags=["fold"] slideshow={"slide_type": "subslide"}
FLOATS = {
    "FP16": (torch.float16, 5, 10), "bfloat16": (torch.bfloat16, 8, 7),
    "FP8 E5M2": (torch.float8_e5m2, 5, 2), "FP8 E4M3": (torch.float8_e4m3fn, 4, 3),
}
print("           w_e  w_m   least above 0     greatest   the formula gives every value")
for name, (dtype, w_e, w_m) in FLOATS.items():
    patterns = torch.arange(2 ** (w_e + w_m))
    storage = torch.uint8 if dtype.itemsize == 1 else torch.int16
    theirs = patterns.to(storage).view(dtype).double()
    ours = [float_value(c >> w_m, c % 2**w_m, w_e, w_m) for c in patterns.tolist()]
    finite = theirs.isfinite()
    same = torch.equal(torch.tensor(ours, dtype=torch.float64)[finite], theirs[finite])
    least, greatest = theirs[1].log2().item(), theirs[finite][-1].item()
    print(f"{name:9} {w_e:4} {w_m:4} {'2^':>10}{least:4.0f} {greatest:14.5g}   {same}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Relative and absolute precision
#
# Between neighboring powers of 2, in the binade $[2^k, 2^{k+1})$, the step of a float is fixed: $\Delta = 2^{k-w_{\mathrm m}}$. In the next binade the step and the numbers both double. So **the error of a float is proportional to the number; that of an integer is the same everywhere**.
#
# In numbers: write $\lvert x\rvert = 2^{k+r}$ with $0 \le r < 1$. Then $\Delta = \lvert x\rvert\, 2^{-r-w_{\mathrm m}}$, and the error power relative to $x^2$ is
#
# $$
# \frac{\Delta^2/12}{x^2} = \frac{4^{-w_{\mathrm m}}}{12}\, 4^{-r}, \qquad
# \int_0^1 4^{-r}\,\mathrm{d}r = \frac{3}{8\ln 2}
# $$

# %% [markdown]
# If the data spread over several binades, $r$ is nearly uniform, whatever the size of $\lvert x\rvert$, and we may average:
#
# $$
# \mathrm{SQNR} \approx 10\log_{10}\!\left(4^{w_{\mathrm m}} \cdot 32\ln 2\right) = 6.02\,w_{\mathrm m} + 13.46 \ \text{dB}
# $$
# [[S5](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# This depends only on the mantissa bits, whatever the signal's size. The exponent bits decide over how wide a range this precision holds.

# %% slideshow={"slide_type": "skip"}
gaussian = samples.distribution("normal", 10**6).double()
print("format     predicted   measured, dB")
for name, (dtype, _, w_m) in FLOATS.items():
    predicted = 10 * math.log10(4**w_m * 32 * math.log(2))
    print(f"{name:9} {predicted:10.1f} {sqnr_db(gaussian, gaussian.to(dtype).double()):10.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# With the same 16 bits, bfloat16 trades 3 mantissa bits for 3 exponent bits: 18 dB less precision, a much wider range.
#
# What if the signal changes in size? Gaussian data are scaled to fill each format and then halved again and again, but **the scale does not follow**.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** The data shrink to $1/16$. By how many decibels does the SQNR of INT8 fall? And that of FP8? Enter the first.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Both formats find supporters. Let them give reasons before the picture.

# %%
exercises.predict("shrunk-data")

# %% tags=["fold"] slideshow={"slide_type": "skip"}
fitted, shrinks = gaussian[:100_000] / gaussian[:100_000].abs().max(), range(0, 21)
sheet = Sheet(panels=2, height=3.6)
sheet.frame(0, "step at each size", "|x|, largest = 1", "step", (2e-5, 1), (1e-6, 0.5))
sheet.axes[0].set(xscale="log", yscale="log")
sheet.frame(1, "data shrink, the scale stays", "k: data times 2^(-k)", "dB", (0, 20), (-2, 45))
sheet.axes[1].set_xticks(range(0, 21, 4))
found = {}
for name, color in (("INT8", BLUE), ("FP8 E4M3", RED), ("FP8 E5M2", GREEN)):
    levels = format_levels(name) / format_levels(name).abs().max()
    xs = [fitted / 2**k for k in shrinks]
    found[name] = [sqnr_db(x, round_to_levels(x, levels)) for x in xs]
    above = levels[levels >= 0]
    sheet.line(0, name, above[:-1], above.diff(), color=color, drawstyle="steps-post")
    sheet.line(1, name, shrinks, found[name], color=color, marker="o", markersize=3)

# %% tags=["predict", "fold"] slideshow={"slide_type": "subslide"}
sheet.legend(0, loc="lower right")
sheet.legend(1)
sheet.show("schemes-shrink", **{f"{name[-4:]}_{k}": f"{v[k]:.1f}" for name, v in found.items()
                                for k in (0, 4)})

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask when the flat line falls as well. (When only subnormal numbers are left.)

# %% tags=["predict", "fold"] slideshow={"slide_type": "skip"}
print("k = 0 to 4   predicted   measured   (dB lost)")
for name, predicted in (("INT8", 20 * math.log10(16)), ("FP8 E4M3", 0), ("FP8 E5M2", 0)):
    print(f"{name:10} {predicted:11.1f} {found[name][0] - found[name][4]:z10.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# - **INT8**: each halving costs 6.02 dB, until everything becomes 0. With the right scale ($k = 0$), INT8 is well above FP8.
# - **FP8**: nothing changes over a wide range, until the data become subnormal. The plateau of E5M2 is 6 dB lower but much longer.
#
# Integer formats need a carefully chosen scale; FP8 is insensitive to it over a wide range.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### INT8 or FP8: one number decides
#
# The two formulas together give a criterion. The SQNR of integers is $6.02\,b + 4.77 - 20\log_{10}\Gamma$ [[N5](06_summary.ipynb#All-formulas)], where $\Gamma = A/\sigma$ is half the range over the standard deviation. Set the two equal:
#
# $$
# 20\log_{10}\Gamma = 6.02\,(b - w_{\mathrm m}) + 4.77 - 13.46
# $$
# [[S6](06_summary.ipynb#All-formulas)]

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students try the criterion on uniform, Gaussian and Laplacian data, and judge.

# %% [markdown]
# With $b = 8$ and $w_{\mathrm m} = 3$ we get $\Gamma \approx 11.8$. When the range extends to the largest magnitude, **INT8 is better if this magnitude is below 11.8 standard deviations, FP8 E4M3 if it is above 11.8**. Now we widen the range $\pm\Gamma\sigma$ for the same Gaussian data step by step.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
gamma = math.sqrt(3 * 4 ** (8 - 3) / (32 * math.log(2)))
e4m3 = 10 * math.log10(4**3 * 32 * math.log(2))
print(f"equal at Gamma = {gamma:.1f}")
print("Gamma   INT8 predicted, measured   E4M3 predicted, measured, dB")
for g in (6, 8, gamma, 16, 32):
    step, unit = 2 * g / 256, g / 448
    integers = step * rint(gaussian / step).clamp(-128, 127)
    floats = unit * (gaussian / unit).to(torch.float8_e4m3fn).double()
    predicted = 10 * math.log10(3 * 4**8 / g**2)
    print(f"{g:5.1f} {predicted:14.1f} {sqnr_db(gaussian, integers):10.1f}", end="")
    print(f" {e4m3:15.1f} {sqnr_db(gaussian, floats):10.1f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Levels placed by the distribution
#
# **NF4** (4-bit NormalFloat) drops the rules of floats and places its 16 reconstructed values by the Gaussian distribution ([Dettmers et al., 2023](references.ipynb)). The idea is to use every code equally often. Network weights are nearly Gaussian, so the levels are Gaussian **quantiles**.

# %% [markdown]
# 0 has to be a level, and an even number of levels cannot be symmetric and contain 0. NF4 has 7 negative values, 8 positive ones and 0, in all 16. The paper gives the construction in words and lists the values; ours follows `create_normal_map` of the bitsandbytes library. Let $\Phi^{-1}$ be the quantile function of the standard Gaussian (`ndtri` in torch), and $\delta = \tfrac12\left(\tfrac1{32} + \tfrac1{30}\right)$:

# %% [markdown] slideshow={"slide_type": "notes"}
# - positive side: divide the probabilities from $\tfrac12$ to $1 - \delta$ into 8 equal parts, and take the quantile at the right end of each;
# - negative side: divide them into 7 equal parts, and change the sign of the quantiles;
# - divide all by the largest, which puts the ends at $\pm1$.

# %% [markdown] slideshow={"slide_type": "notes"}
# The source code does not explain $\delta$. One reading: 16 equally likely codes have $\tfrac1{16}$ each, the middle of the outermost $\tfrac1{32}$ from the end; with 15 codes it is $\tfrac1{30}$; $\delta$ is the mean of the two.

# %% slideshow={"slide_type": "skip"}
delta = (1 / 32 + 1 / 30) / 2
ninth, eighth = (torch.linspace(0.5, 1 - delta, n, dtype=torch.float64)[1:] for n in (9, 8))
right, left = torch.special.ndtri(ninth), -torch.special.ndtri(eighth).flip(0)
constructed = torch.cat([left, torch.zeros(1), right]) / right[-1]
published = [
    -1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0,
    0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0,
]
for half in (slice(8), slice(8, 16)):
    print("constructed", *(f"{v:6.2f}" for v in constructed[half].tolist()))
    print("published  ", *(f"{v:6.2f}" for v in published[half]))
print(f"largest difference: {(constructed - torch.tensor(published)).abs().max():.0e}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# Here are the three 4-bit formats, scaled to a largest magnitude of 1, under a Gaussian density of standard deviation 0.35.

# %% tags=["fold"]
ruler = Sheet(panels=1, height=2.8)
ruler.frame(0, "three 4-bit formats", "level", "", (-1.05, 1.05), (0.4, 6.2))
ruler.axes[0].set_yticks([1, 2, 3], ["NF4", "FP4", "INT4"])
t = torch.linspace(-1, 1, 201)
ruler.line(0, "density", t, 3.6 + 2.4 * torch.exp(-((t / 0.35) ** 2) / 2), color=GRAY)
gaps = {}
for y, (name, color) in enumerate((("NF4", BLUE), ("FP4 E2M1", RED), ("INT4", GREEN)), 1):
    levels = format_levels(name) / format_levels(name).abs().max()
    style = {"marker": "|", "markersize": 20, "markeredgewidth": 2, "color": color}
    ruler.points(0, name, levels, [y] * len(levels), **style)
    gaps[name[:3]] = f"{levels.diff().min():.3f}", f"{levels.diff().max():.3f}"
ruler.show("schemes-ruler", **{f"{k}_{end}": v for k, ends in gaps.items()
                               for end, v in zip(("least", "most"), ends)})

# %% [markdown] slideshow={"slide_type": "notes"}
# INT4 has equal gaps; FP4 and NF4 are dense in the middle and sparse at the ends. INT4 also lacks a level on the right: $-8$ stands at $-1$, and $+8$ is missing.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Which format suits which data
#
# Our data are uniform, Gaussian, Laplacian (a sharp peak, long tails), and Gaussian with outliers. First, one scale maps the largest magnitude of the data to that of the format.
#
# **[Try]** Predict first: at 4 bits, which data does INT4 suit best, and which does NF4? At 8 bits, when can FP8 beat INT8? Then go through the formats.

# %% slideshow={"slide_type": "subslide"}
explore.formats()

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Vote before each kind of data: INT4, FP4 or NF4? Note who is right each time.

# %% [markdown] slideshow={"slide_type": "skip"}
# The full table adds a column, the weights of our network's last layer, and a row, $\Gamma$: the largest magnitude over the standard deviation.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
names = ("INT4", "FP4 E2M1", "NF4", "INT8", "FP8 E4M3", "FP8 E5M2")
shapes = ("uniform", "normal", "laplace", "outliers")
columns = {shape: samples.distribution(shape).double() for shape in shapes}
columns["weights"] = w.detach().flatten().double()
grids = {name: format_levels(name) / format_levels(name).abs().max() for name in names}
print("SQNR, dB   " + "".join(f"{k:>10}" for k in columns))
for name in names:
    whole = [sqnr_db(x, x.abs().max() * round_to_levels(x / x.abs().max(), grids[name]))
             for x in columns.values()]
    print(f"{name:11}" + "".join(f"{v:10.1f}" for v in whole))
print("Gamma      " + "".join(f"{x.abs().max() / x.std():10.1f}" for x in columns.values()))

# %% [markdown] slideshow={"slide_type": "notes"}
# - **8 bits**: the criterion holds. In the four columns with $\Gamma$ below 11.8, INT8 is better; with outliers, FP8 overtakes it. The two FP8 rows hardly depend on the data.
# - **4 bits**: INT4 is best for uniform data. In every other column NF4 and FP4 both beat INT4. This holds for one scale up to the largest magnitude; other scales will change it.
# - **Outliers**: all three 4-bit formats are down to a few decibels. Another 4-bit format does not help, but another scale does: see [the next chapter](03_params.ipynb).

# %% [markdown] slideshow={"slide_type": "notes"}
# **[Think]** Uniform data fill all 16 levels, so [Information theory](01_information_theory.ipynb) promises $6.02 \cdot 4 = 24.08$ dB. Why does INT4 fall short?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Again $+8$ is missing. Here $\Delta = 1/8$, and the greatest reconstructed value is $7\Delta$. The data from $7.5\Delta$ to $8\Delta$, $1/32$ of all, are clipped. Their errors run from $\tfrac12\Delta$ to $\Delta$, with the mean square
#
# $$
# \frac{1}{\frac12\Delta}\int_{\Delta/2}^{\Delta} e^2\,\mathrm{d}e = \frac{7}{12}\Delta^2
# $$
#
# The total noise is $\tfrac{31}{32} \cdot \tfrac{1}{12}\Delta^2 + \tfrac{1}{32} \cdot \tfrac{7}{12}\Delta^2 = \tfrac{19}{16} \cdot \tfrac{\Delta^2}{12}$. This costs $10\log_{10}\tfrac{19}{16} = 0.75$ dB and leaves about 23.3 dB, as in the table.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Scales take bits as well
#
# In practice, 4-bit formats seldom use one scale for a whole tensor. Each group of $g$ weights has its own, which is stored, too. If each scale takes $b_s$ bits, a weight takes on average
#
# $$
# b + \frac{b_s}{g} \ \text{bit}
# $$
# [[P8](06_summary.ipynb#All-formulas)]

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# With the scales counted, how many bits do 4 bits really take? Work it out first.

# %% [markdown]
# **[Compute]** With 4-bit codes in groups of 64 and float16 scales, how many bits does a weight take? With float32 scales? And in MX formats, with groups of 32 and powers of 2 as scales, stored as 8-bit exponents ([Open Compute Project, 2023](references.ipynb))? Enter the first.

# %%
exercises.predict("packed-bits-per-weight")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# In order: $4 + 16/64 = 4.25$ bits, $4 + 32/64 = 4.5$ bits, $4 + 8/32 = 4.25$ bits.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# We compare five kinds of scale: for the whole tensor, the largest magnitude or the range of least error; groups of 64; MXFP4; and grouped INT4 with no clipping (the largest magnitude falls on 7 instead of 8).

# %% slideshow={"slide_type": "skip"}
def largest(x, top=1.0):
    return x.abs().max() / top


def best_range(x, levels):
    candidates = x.std() * torch.arange(1, 7, 0.05, dtype=torch.float64)
    return min(candidates, key=lambda c: (x - c * round_to_levels(x / c, levels)).square().mean())


def group_scales(x, top=1.0):  # one float16 for each row
    return (x.abs().amax(1, keepdim=True) / top).half().double()


def power_of_two(x):  # the largest level of FP4 is 6 = 1.5 · 2^2
    return 6 * 2 ** (x.abs().amax(1, keepdim=True).log2().floor() - 2)

# %% tags=["predict", "fold"] slideshow={"slide_type": "skip"}
fours = {name: grids[name] for name in ("INT4", "FP4 E2M1", "NF4")}
ways = [("largest |x|", n, 0, 1, lambda x, levels: largest(x)) for n in fours]
ways += [("best range", n, 0, 1, best_range) for n in fours]
ways += [("groups of 64", n, 16, 64, lambda x, levels: group_scales(x)) for n in fours]
ways += [("groups, 7/8", "INT4", 16, 64, lambda x, levels: group_scales(x, top=7 / 8))]
ways += [("MX, 32, 2^k", "FP4 E2M1", 8, 32, lambda x, levels: power_of_two(x))]
results = {}
print("scale         format    bits  " + "".join(f"{k:>10}" for k in columns))
for way, name, extra, g, scale_of in ways:
    rows = [x[: len(x) // 64 * 64].view(-1, g) if extra else x for x in columns.values()]
    scales = [scale_of(x, fours[name]) for x in rows]
    hats = [s * round_to_levels(x / s, fours[name]) for x, s in zip(rows, scales)]
    results[way, name] = [sqnr_db(x, x_hat) for x, x_hat in zip(rows, hats)]
    dB = "".join(f"{v:10.1f}" for v in results[way, name])
    print(f"{way:13} {name:9} {4 + extra / g:.2f}  {dB}")

# %% [markdown] slideshow={"slide_type": "skip"}
# The scale decides the ranking:
#
# - **Whole tensor, largest magnitude**: for Gaussian data and the weights, NF4 is best, FP4 next, INT4 last, because the range is too wide.
# - **Whole tensor, best range**: for both, NF4 is still best, but INT4 beats FP4. So INT4 was behind FP4 because of its range, not its gaps in the middle.
# - **Groups of 64**: INT4 even comes out best for this network's weights, NF4 for Gaussian data. The divisor matters too: under the rule that clips nothing, INT4 loses its lead.
# - **Laplacian (long tails)**: NF4 and FP4 always beat INT4. What decides is the tails, not that most values are near 0.
# - **MXFP4**: it takes as many bits as groups of 64, in smaller groups. Yet for Gaussian and Laplacian data and the weights it is 0.4 to 1.1 dB below FP4 in groups of 64, because its scales are powers of 2.
#
# A weight takes 4.25 bits with float16 scales, 4.5 with float32 (the original NF4), and 4.25 in MXFP4. At 6.02 dB a bit, the extra 0.25 bit would be worth 1.5 dB. So **next to the SQNR of a format, state its bits, scales included**.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
print(f"0.25 bit is worth {0.25 * 20 * math.log10(2):.1f} dB; NF4 gains from groups:")
for name, one, many in zip(columns, results["best range", "NF4"], results["groups of 64", "NF4"]):
    print(f"{name:9} {many - one:z5.1f} dB")

# %% [markdown] slideshow={"slide_type": "skip"}
# Compared with the best range, groups gain less than 1.5 dB for Gaussian data and this layer's weights, and lose for uniform data. They are worth their price for long tails and outliers. The more the magnitude varies from place to place, the more groups pay off.
#
# ### Equal use of the codes is not the same as least error ★
#
# This part uses entropy and the Lloyd–Max quantizer (see [Rate–distortion](01b_rate_distortion.ipynb)), and you may skip it. The result: “every code equally often”, which NF4 aims at, and “least mean squared error” are two different goals. Moreover, once there are groups, NF4 does not use its codes equally often.
#
# **[Predict]** Vary the range, so that the greatest reconstructed value falls on $c$ standard deviations. Which is larger, the $c$ with the most entropy or the $c$ with the least error? Can NF4 match a Lloyd–Max quantizer of 16 levels?

# %% tags=["predict"] slideshow={"slide_type": "skip"}
rows, nf4 = gaussian.view(-1, 64), nf4_levels()
print("scale           entropy   least used   most used     dB")
for c in (right[-1].item(), 2.4, best_range(gaussian[:200_000], nf4).item(), None):
    unit = c or group_scales(rows)
    q_nf4 = torch.bucketize(rows / unit, (nf4[1:] + nf4[:-1]) / 2)
    used = torch.bincount(q_nf4.flatten()) / q_nf4.numel()
    name = f"c = {c:.2f}" if c else "groups of 64"
    print(f"{name:15} {entropy(q_nf4):7.3f} {used.min():12.1%} {used.max():11.1%}", end="")
    print(f" {sqnr_db(rows, unit * nf4[q_nf4]):6.1f}")
print(f"Lloyd-Max, 16 levels: {-10 * math.log10(lloyd_max(16, 'normal').mse):.1f} dB")

# %% [markdown] slideshow={"slide_type": "skip"}
# The $c$ in the first row is the design point of NF4, its outermost quantile. The entropy is nearly 4 bits, yet the probabilities of the codes already run from 5.6% to 7.1%. The entropy is flat near its maximum and hides this. Too much is clipped here, so the error is large. The $c$ in the third row has the least error of all that we tried, and is only 0.2 dB short of Lloyd–Max.
#
# The last row of NF4 is how it is used in practice: groups of 64, each divided by its largest magnitude. The least used code has only 1.7%, the most used one over five times as much, and the entropy is down to 3.9 bits. After the division, the distribution of the data depends on the size of the group, and no fixed table can always make its codes equally likely ([Yoshida, 2023](references.ipynb)). This row's SQNR exceeds that of Lloyd–Max with 16 levels because it spends extra bits on the scales.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### The price
#
# On an evenly spaced grid, values are proportional to codes minus the zero point, $\hat x = s\,(q - z)$. A matrix product can thus be done entirely in integers, with one multiplication by $s$ at the end; see [Integers only](04b_integer.ipynb). Unevenly spaced formats lack this property:
#
# | format | how a code becomes a value | needed to multiply without going back to ordinary floats |
# |:--|:--|:--|
# | INT8, INT4 | subtract the zero point, multiply by $s$ | integer multipliers |
# | FP8, FP4 | split into sign, exponent, mantissa; multiply by $s$ | float multipliers for this format |
# | NF4 | look up a table of 16 entries, multiply by $s$ | impossible: the values must be looked up first |

# %% [markdown] slideshow={"slide_type": "notes"}
# Without hardware support, the first two are converted back as well. The later chapters use evenly spaced integers.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# These exercises are for after class. For each one, write your answer first and then run the next cell, which checks it. When a check fails, it shows the smallest counterexample and hints. For an exercise that you have not started, it only says “Not yet”.

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (4 minutes, difficulty 1/3) Write `my_range(bits, signed)`. `bits` is the bit width and `signed` a Boolean. Return the least and the greatest code as two integers. Signed codes are in two's complement.

# %% slideshow={"slide_type": "skip"}
def my_range(bits, signed):
    return ...  # qmin, qmax

# %% slideshow={"slide_type": "skip"}
exercises.check("code-range", my_range)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_range(bits, signed):
#     if signed:
#         return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
#     return 0, 2**bits - 1
# ```
#
# Both have $2^b$ codes. Zero takes one of them, so a signed scheme has one more negative code.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (5 minutes, difficulty 1/3) Write `my_bits(levels)`. There are `levels` levels, at least 2, and each needs its own code. Return the least number of bits as an integer.

# %% slideshow={"slide_type": "skip"}
def my_bits(levels):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("bits-needed", my_bits)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_bits(levels):
#     return (levels - 1).bit_length()
# ```
#
# The codes run from 0 to $L - 1$, and all take as many bits as the greatest one needs. Integer arithmetic has no rounding error; `math.ceil(math.log2(levels))` is correct here as well.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (5 minutes, difficulty 1/3) Write `my_codes(x, scale)`. `x` is a float tensor and `scale` the scale. Find the symmetric INT8 codes: round to the nearest integer (halves to even), clip to $[-128, 127]$, and return a tensor of `torch.int8`.

# %% slideshow={"slide_type": "skip"}
def my_codes(x, scale):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("integer-codes", my_codes)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_codes(x, scale):
#     return torch.round(x / scale).clamp(-128, 127).to(torch.int8)
# ```
#
# Clip first and convert afterwards. In the other order, codes beyond the range wrap around.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (8 minutes, difficulty 2/3) Without `pack_int4`, write `my_pack(codes)`. `codes` is a one-dimensional tensor of `torch.int8` with values in $[-8, 7]$. Return the bytes as `torch.uint8`. Of every two codes, the first goes into the low 4 bits; if the count is odd, the last high 4 bits are 0. Pack $1, -2, 7, -8, 3$ with it: you should get E1 87 03.

# %% slideshow={"slide_type": "skip"}
def my_pack(codes):
    nibbles = (codes & 0xF).to(torch.uint8)
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("pack-int4", my_pack)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_pack(codes):
#     nibbles = (codes & 0xF).to(torch.uint8)
#     if len(nibbles) % 2:
#         nibbles = torch.cat([nibbles, nibbles.new_zeros(1)])
#     pairs = nibbles.view(-1, 2)
#     return pairs[:, 0] | (pairs[:, 1] << 4)
# ```
#
# `& 0xF` keeps the low 4 bits. Without it, the leading 1s of a negative code in two's complement would spill into the other code.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (8 minutes, difficulty 2/3) Without `unpack_int4`, write `my_unpack(packed)`. `packed` holds bytes as `torch.uint8`. Return all codes in them as `torch.int8`, twice as many as there are bytes.

# %% slideshow={"slide_type": "skip"}
def my_unpack(packed):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("unpack-int4", my_unpack)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_unpack(packed):
#     low, high = packed & 0xF, packed >> 4
#     codes = torch.stack([low, high], dim=-1).flatten().to(torch.int8)
#     return torch.where(codes > 7, codes - 16, codes)
# ```
#
# Convert to `int8` before you subtract 16: `uint8` has no negative numbers.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Discussion
#
# **[Think]** Every round trip of packing and unpacking passes its test, and yet files exchanged with others are read wrongly. Why does the round trip not reveal this? What else should be tested?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Discuss for 5 minutes: why does a round trip not find a wrong convention? It is a good example of what tests can miss.

# %% [markdown] slideshow={"slide_type": "skip"}
# To see how far you are in the whole course, run the cell below:

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# - An integer scheme of $b$ bits has $2^b$ levels and $2^b - 1$ gaps. Unsigned, it ranges over $0 \dots 2^b - 1$. Signed, in two's complement, it ranges over $-2^{b-1} \dots 2^{b-1} - 1$, with one more negative code.
# - For symmetric quantization that clips nothing, divide the largest magnitude by the greatest code: $2^{b-1} - 1$ if signed, $2^b - 1$ if unsigned (no value negative). The $\min(\lvert q_{\min}\rvert, q_{\max})$ of the tutorial code is 0 for unsigned schemes.
# - $L$ levels take $\lceil \log_2 L \rceil$ bits, always rounded up.
# - Signed to unsigned: add $2^{b-1}$ to both $q$ and $z$, which flips the top bit. Reading the same bits as another type is not a conversion. 8 bits to 4: subtract the zero point, divide by 16, then round. A mere shift makes the values too small by $7.5\,s_8$ on average, and decoding has to add it back.

# %% [markdown] slideshow={"slide_type": "subslide"}
# - Two 4-bit codes are packed into one byte, the first in the low 4 bits. The shape is stored separately, and the sign has to be restored. When conventions differ, no error is reported.
# - Whether codes are INT8 is decided by their type, not by their values. A file's size depends on the bit width in storage, and INT4 takes 4 bits only after packing. With groups, the scales add $b_s/g$ bits per weight.
# - The error of an integer format is the same everywhere; that of a float format is proportional to the number. For data spread over several binades the SQNR is about $6.02\,w_{\mathrm m} + 13.46$ dB, whatever the size of the signal. When the largest magnitude exceeds 11.8 standard deviations, FP8 E4M3 beats INT8.
# - How 4-bit formats rank depends on the tails of the data and on how the scale is chosen. No format is best everywhere.

# %% [markdown] slideshow={"slide_type": "skip"}
# Next chapter: [Quantization parameters](03_params.ipynb). We have the codes; how large is the number that each of them stands for?
