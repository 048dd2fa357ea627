# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # Summary: first the examination, then the answers
#
# At the end of a course and without notes, which formulas can you still write down, and which mistakes do you avoid? This chapter begins with an examination, and then gives the answers. The answers are one table of all the main formulas of the course. Each is checked once more, with the prediction of the formula on the left and the measured value on the right, and an error where they disagree. Later we look at twelve things that are easy to get wrong, and why.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# The examination comes before the lecture. The paper is in the notebook: half an hour, without notes.

# %% [markdown]
# **After this chapter you can:**
#
# - answer an examination from memory, and know which chapter you should read again;
# - find any formula, say under which conditions it holds, and check it on the spot;
# - point out what is wrong in three formulas that many tutorials print, and why they must be changed;
# - answer the twelve questions that are easy to get wrong, with a counterexample where there is one;
# - say which newer methods to read about next, and which part of this course each of them uses.

# %% [markdown] slideshow={"slide_type": "skip"}
# | section | time |
# |:--|:--|
# | The examination | 30 minutes |
# | All formulas | 10 minutes |
# | Checked group by group | 10 minutes |
# | Three formulas from tutorials | 10 minutes |
# | Twelve things that are easy to get wrong | 10 minutes |
# | Where to go from here | 10 minutes |
# | The last picture | 6 minutes |
# | Summary | 2 minutes |

# %% slideshow={"slide_type": "skip"}
from math import ceil, e as euler, erfc, exp, log2, log10, pi, sqrt

import numpy as np
import torch
from torch.ao.quantization import MinMaxObserver

from quantcore import (
    QuantizationParams, QuantizationScheme, UniformQuantizer, entropy, exercises, explore,
    fixed_point_multiplier, float_levels, gaussian_distortion, integer_matmul, lloyd_max,
    noise_power, pack_int4, samples, sqnr_db,
)
from quantcore.integer import requantize

# %% slideshow={"slide_type": "skip"}
explore.set_language("en")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The examination
#
# There are 24 questions, to be answered in half an hour. You may use pen and paper and a calculator; do not look at the table below yet.
#
# - The first twelve each give the name and the condition of a formula, and you choose one of four expressions. The questions are drawn from the table, and carry the numbers of its rows; many of the wrong expressions are common mistakes.
# - The last twelve are the twelve things that are easy to get wrong. Each asks for a number; a fraction such as `1/12` will do. Give decimals to three significant digits, and integers where integers are asked for.
#
# Answer everything before you hand it in. Then each question tells you whether you were right, and the last twelve also what went wrong. At the end you see your score and the chapters to read again. Wrong answers may be changed and handed in again. In the notebook you can take the examination again, with other questions and other numbers.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Leave this slide on the screen during the examination. Afterwards let the class say which question most of them got wrong.

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Compute]** Run the next cell, and answer the whole paper. Of the 24, how many do you expect to get right? Write it down before you hand it in.

# %% slideshow={"slide_type": "skip"}
exercises.exam()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## All formulas
#
# From here on you see the answers. A multiple-choice question carries the number of its row in this table: if you got it wrong, read the formula again together with its condition.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Do not read the table. Each group draws three numbers, writes one line of verification for each, and compares it with the cells.

# %% [markdown]
# The letters are groups: N noise and information, S schemes, P parameters, Q quantizer, I integer arithmetic, V visualization, T network. **Clipping** always means saturation. The last column is the chapter that explains the formula and checks it; there, the number stands below the formula or beside it.

# %% [markdown] slideshow={"slide_type": "skip"}
# | no. | name | formula | condition | chapter |
# |:--|:--|:--|:--|:--|
# | N1 | storage | $N\,b/8$ bytes | $N$ codes, closely packed | [Information theory](01_information_theory.ipynb) |
# | N2 | quantization noise power | $\sigma_q^2 = \Delta^2/12$ | the error is uniform over one step | [Information theory](01_information_theory.ipynb) |
# | N3 | correction of the noise power | $\sigma_q^2 = \dfrac{\Delta^2}{12} + \dfrac{\Delta^2}{\pi^2}\displaystyle\sum_{k\ge1} \dfrac{(-1)^k}{k^2}\,\varphi\!\left(\dfrac{2\pi k}{\Delta}\right)$ | reconstructed values are integer multiples of $\Delta$, no clipping; $\varphi(u) = \mathbb{E}[\cos(ux)]$ | [Information theory](01_information_theory.ipynb) |
# | N4 | SQNR | $\mathrm{SQNR} = 10\log_{10}\dfrac{\mathbb{E}[x^2]}{\sigma_q^2}$ dB | definition; a ratio of powers, so the factor is 10 | [Information theory](01_information_theory.ipynb) |
# | N5 | 6.02 dB per bit | $\mathrm{SQNR} = 6.02\,b + 4.77 - 20\log_{10}\Gamma$ dB | $\Gamma = A/\sigma$, range $\pm A$; no clipping, and N2 holds | [Information theory](01_information_theory.ipynb) |
# | N6 | uniform signal | $6.02\,b$ dB | it fills the range, $\Gamma = \sqrt3$; N2 holds | [Information theory](01_information_theory.ipynb) |
# | N7 | full-scale sine | $6.02\,b + 1.76$ dB | the amplitude is $A$, $\Gamma = \sqrt2$; N2 holds | [Information theory](01_information_theory.ipynb) |
# | N8 | granular noise | $D_g \approx \dfrac{\Delta^2}{12}\,P(\lvert x\rvert \le c)$ | range $\pm c$, the step is small enough | [Information theory](01_information_theory.ipynb) |
# | N9 | overload noise, Gaussian | $D_o = 2\left[(1+c^2)\,P(x > c) - c\,f(c)\right]$ | $\sigma = 1$, $f$ is the density | [Information theory](01_information_theory.ipynb) |
# | N10 | subtractive dither | $\hat x = Q(x+d) - d$; the error is independent of $x$, with the power $\Delta^2/12$ | $d$ is uniform on $\pm\Delta/2$, no clipping | [Information theory](01_information_theory.ipynb) |
# | N11 | optimal quantizer (Lloyd–Max) | $t_i = \tfrac12(y_i + y_{i+1})$, $y_i = \mathbb{E}[x \mid t_{i-1} < x \le t_i]$ | necessary; sufficient, too, if $\log f$ is concave | [Rate–distortion](01b_rate_distortion.ipynb) |
# | N12 | error of an optimal quantizer | $\mathbb{E}[\hat x\,e] = 0$, $\mathbb{E}[x\,e] = \sigma_q^2$ | each $y_i$ is the mean of its cell | [Rate–distortion](01b_rate_distortion.ipynb) |
# | N13 | entropy | $H = -\sum_q p_q \log_2 p_q \le b$ | equal only if all codes are equally probable | [Rate–distortion](01b_rate_distortion.ipynb) |
# | N14 | entropy and step | $H \approx h - \log_2 \Delta$ | the step is small enough | [Rate–distortion](01b_rate_distortion.ipynb) |
# | N15 | Gaussian rate–distortion function | $D(R) = \sigma^2\,2^{-2R}$ | independent, identically distributed Gaussian signal; no quantizer is lower | [Rate–distortion](01b_rate_distortion.ipynb) |
# | N16 | even spacing with entropy coding | $\pi\mathrm{e}/6$ times $D(R)$: 1.53 dB more, or 0.255 bits | Gaussian, the step is small enough | [Rate–distortion](01b_rate_distortion.ipynb) |
# | N17 | stochastic rounding | $\mathbb{E}[\hat x \mid x] = x$, mean noise power $2\cdot\Delta^2/12$ | no clipping; the probability of rounding up is the relative position of $x$ between two levels; the second also needs the condition of N2 | [Information theory](01_information_theory.ipynb) |
# | N18 | sum of errors | root mean square $\sqrt{(N\mu)^2 + N\sigma_e^2}$ | $N$ independent errors of mean $\mu$ and standard deviation $\sigma_e$ | [Information theory](01_information_theory.ipynb) |
# | N19 | error of an unevenly spaced quantizer | $D \approx \dfrac{1}{12\,L^2}\left(\displaystyle\int f(x)^{1/3}\,\mathrm{d}x\right)^{3}$ | smooth density, a large number of levels $L$; the density of reconstructed values is proportional to $f^{1/3}$ | [Rate–distortion](01b_rate_distortion.ipynb) |
# | N20 | mean length of a Huffman code | $H \le \sum_q p_q \ell_q < H + 1$ | encoded one by one; at least two codes | [Rate–distortion](01b_rate_distortion.ipynb) |
# | S1 | signed integers | $-2^{b-1} \le q \le 2^{b-1}-1$ | two's complement; one more negative number | [Quantization schemes](02_schemes.ipynb) |
# | S2 | unsigned integers | $0 \le q \le 2^b - 1$ | all $b$ bits are for the value | [Quantization schemes](02_schemes.ipynb) |
# | S3 | two int4 in a byte | $(q_0 \bmod 16) + 16\,(q_1 \bmod 16)$ | the low 4 bits first | [Quantization schemes](02_schemes.ipynb) |
# | S4 | small floats | $2^{E-\mathrm{bias}}\,(1 + T/2^{w_{\mathrm m}})$; for $E = 0$ it is $2^{1-\mathrm{bias}}\,T/2^{w_{\mathrm m}}$ | $E$ is the value of the exponent bits, $T$ that of the mantissa bits, $w_{\mathrm m}$ the width of the mantissa | [Quantization schemes](02_schemes.ipynb) |
# | S5 | SQNR of float formats | $6.02\,w_{\mathrm m} + 13.46$ dB | data spread over several intervals between neighboring powers of 2, no overflow | [Quantization schemes](02_schemes.ipynb) |
# | S6 | where INT8 and FP8 are equal | $20\log_{10}\Gamma = 6.02\,(b - w_{\mathrm m}) + 4.77 - 13.46$ | N5 and S5 both hold | [Quantization schemes](02_schemes.ipynb) |
# | P1 | a range with 0 | $x_{\min} \leftarrow \min(x_{\min}, 0)$, $x_{\max} \leftarrow \max(x_{\max}, 0)$ | always first | [Quantization parameters](03_params.ipynb) |
# | P2 | asymmetric, scale | $s = \dfrac{x_{\max}-x_{\min}}{q_{\max}-q_{\min}}$ | after P1 | [Quantization parameters](03_params.ipynb) |
# | P3 | asymmetric, zero point | $z = \operatorname{clamp}(\operatorname{rint}(q_{\min} - x_{\min}/s),\, q_{\min},\, q_{\max})$ | an integer | [Quantization parameters](03_params.ipynb) |
# | P4 | symmetric, signed | $z = 0$, $s = \dfrac{\max\lvert x\rvert}{2^{b-1}-1}$ | with `minmax` the code $-2^{b-1}$ does not occur | [Quantization parameters](03_params.ipynb) |
# | P5 | symmetric, all codes | $z = 0$, $s = \dfrac{\max\lvert x\rvert}{2^{b-1}}$ | if the largest value is positive, the positive end is clipped | [Quantization parameters](03_params.ipynb) |
# | P6 | symmetric, midpoint | $z = 0$, $s = \dfrac{\max\lvert x\rvert}{(2^b-1)/2}$ | the symmetric observers of PyTorch, with codes $[-2^{b-1}, 2^{b-1}-1]$; equal to P2 for $\pm\max\lvert x\rvert$ | [Quantization parameters](03_params.ipynb) |
# | P7 | symmetric, unsigned | $z = 0$, $s = \dfrac{x_{\max}}{2^b-1}$ | the data are not negative | [Quantization parameters](03_params.ipynb) |
# | P8 | bits for each weight | $b + 32/g$ | every $g$ weights share a float32 $s$, $z = 0$; with an $s$ of 16 bits it is $b + 16/g$ | [Quantization parameters](03_params.ipynb) |
# | P9 | error at the ends of the range | $s\,(z - z^*)$, $\lvert e\rvert \le s/2$ | $z^* = q_{\min} - x_{\min}/s$ | [Quantization parameters](03_params.ipynb) |
# | P10 | cost of containing 0 | $20\log_{10}\dfrac{\max(x_{\max},0) - \min(x_{\min},0)}{x_{\max}-x_{\min}}$ dB | the step is small enough, no clipping | [Quantization parameters](03_params.ipynb) |
# | P11 | gain of dividing by $2^{b-1}$ | $20\log_{10}\dfrac{2^{b-1}}{2^{b-1}-1} - 10\log_{10}\Big(1+\dfrac{6}{n-1}\Big)$ dB | $n$ numbers share $s$, the largest has either sign with equal chance, the step is small enough | [Quantization parameters](03_params.ipynb) |
# | P12 | probability of exceeding the calibrated range | $\dfrac{1}{n+1}$ | the range is the maximum of $n$ calibration samples; the new sample is from the same population | [Quantization parameters](03_params.ipynb) |
# | Q1 | quantization | $q = \operatorname{clamp}(\operatorname{rint}(x/s) + z,\, q_{\min},\, q_{\max})$ | rint takes ties to even | [The uniform quantizer](04_quantizer.ipynb) |
# | Q2 | dequantization | $\hat x = s\,(q - z)$ | convert to a wide type, then subtract | [The uniform quantizer](04_quantizer.ipynb) |
# | Q3 | bound of the error | $\lvert x - \hat x\rvert \le s/2$ | $x$ is not clipped | [The uniform quantizer](04_quantizer.ipynb) |
# | Q4 | idempotent, monotone, exact at zero | $Q(Q(x)) = Q(x)$; $x \le y \Rightarrow Q(x) \le Q(y)$; $Q(0) = 0$ | $Q$ quantizes and dequantizes | [The uniform quantizer](04_quantizer.ipynb) |
# | Q5 | straight-through estimator (STE) | $\dfrac{\partial \hat x}{\partial x} := 1$ (the code is inside the range), else 0 | a convention, not the derivative | [The uniform quantizer](04_quantizer.ipynb) |
# | Q6 | gradient of the step (LSQ) | $\dfrac{\partial\hat x}{\partial s} := \operatorname{rint}\!\Big(\dfrac xs\Big) - \dfrac xs$; for clipped values $q_{\min}$ or $q_{\max}$ | $z = 0$; by convention the derivative of rint is 1 | [The uniform quantizer](04_quantizer.ipynb) |
# | I1 | four terms of a product | $\sum (q_1 - z_1)(q_2 - z_2) = \sum q_1 q_2 - z_2 \sum q_1 - z_1 \sum q_2 + K z_1 z_2$ | an identity; $K$ terms are summed | [Integers only](04b_integer.ipynb) |
# | I2 | fixed-point multiplier | $M = \dfrac{s_1 s_2}{s_3} \approx m\,2^{-31-n}$, $2^{30} \le m < 2^{31}$ | $m$ and $n$ are integers | [Integers only](04b_integer.ipynb) |
# | I3 | requantization | $q_3 = \operatorname{clamp}(z_3 + M \cdot \text{acc},\, q_{\min},\, q_{\max})$, with $M \cdot \text{acc}$ rounded twice | acc is the sum of I1, int32. The high half takes ties up, the shift takes them away from zero, so now and then the result differs by 1 from rounding once | [Integers only](04b_integer.ipynb) |
# | I4 | how many terms can be summed | $K \le \left\lfloor\dfrac{2^{B-1}-1}{a_1 a_2}\right\rfloor$ | the factors are at most $a_1$, $a_2$ in magnitude, the accumulator has $B$ bits | [Integers only](04b_integer.ipynb) |
# | I5 | fraction wrong by double rounding | about $2^{-(n+1)}$ | $n \ge 1$, the low bits of the sum are uniform | [Integers only](04b_integer.ipynb) |
# | V1 | histogram of the error | $e/s$ has density 1 on $\pm\tfrac12$ | as N2 | [Visualization](05_visualization.ipynb) |
# | V2 | spectrum of the error | each line $\lvert F_k\rvert^2/N$ has the expectation $s^2/12$ | the error is white noise, $F_k$ the Fourier transform of $N$ points | [Visualization](05_visualization.ipynb) |
# | V3 | SQNR of `minmax` | $10\log_{10}\!\big(12\,(2^{b-1}-1)^2\big) - 20\log_{10}\dfrac{\max\lvert x\rvert}{x_{\mathrm{rms}}}$ dB | symmetric signed; N2 holds | [Visualization](05_visualization.ipynb) |
# | T1 | folding batch normalization | $w' = \dfrac{\gamma}{\sigma}\,w$, $\mathrm{bias}' = \tau - \dfrac{\gamma}{\sigma}\,\mu$ | after training, when $\mu$ and $\sigma$ no longer change | [A real network](05b_network.ipynb) |
# | T2 | errors layer by layer | $D \approx \sum_k D_k$ | the errors of the layers are uncorrelated, the step is small enough | [A real network](05b_network.ipynb) |
# | T3 | gain of quantizing per channel | channel $j$: $20\log_{10}\dfrac{\max\lvert w\rvert}{\max\lvert w_j\rvert}$ dB | the step is small enough | [A real network](05b_network.ipynb) |
# | T4 | bytes of a file | $\displaystyle\sum_k \left(\left\lceil\frac{N_k b_k}{8}\right\rceil + 8\,C_k + 5\right)$ | per channel; $s$ and bias 4 bytes each, $s$ and $z$ of the input 5 bytes; without the header | [A real network](05b_network.ipynb) |

# %% [markdown] slideshow={"slide_type": "skip"}
# Sources: N2 ([Bennett, 1948](references.ipynb)); N3, N10 ([Widrow & Kollár, 2008](references.ipynb)); N9 ([Banner et al., 2019](references.ipynb)), and N8 is N2 inside the range; N11 ([Lloyd, 1982](references.ipynb); [Max, 1960](references.ipynb)); N13, N15 ([Shannon, 1948](references.ipynb); [Shannon, 1959](references.ipynb)); N14, N16 ([Gish & Pierce, 1968](references.ipynb); [Gray & Neuhoff, 1998](references.ipynb)); S3, Q1, Q2 ([ONNX, 2024](references.ipynb)); S4 ([Open Compute Project, 2023](references.ipynb)); P1 to P4 and group I ([Jacob et al., 2018](references.ipynb); [Krishnamoorthi, 2018](references.ipynb)); N17 ([Gupta et al., 2015](references.ipynb)); N19 ([Panter & Dite, 1951](references.ipynb)); N20 ([Huffman, 1952](references.ipynb)); Q5 ([Bengio et al., 2013](references.ipynb), with the mask from [The uniform quantizer](04_quantizer.ipynb)); Q6 ([Esser et al., 2020](references.ipynb)). The others are derived or explained in the course.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Checked group by group
#
# `verify` prints a table: name, predicted, measured, tolerance. Where the difference exceeds the tolerance it raises an error, and the chapter does not run on. The other three functions are helpers: `params` finds parameters from data, `fit` makes a quantizer from data, `with_step` sets a grid directly. The code of the checks is folded; to see how a row is measured, open its cell.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def verify(rows):
    print(f"{'':40}{'predicted':>12}{'measured':>12}{'tolerance':>12}")
    for name, predicted, measured, tolerance in rows:
        print(f"{name:40}{predicted:>12.4g}{measured:>12.4g}{tolerance:>12.1g}")
        assert abs(measured - predicted) <= tolerance, name


# %% tags=["fold"] slideshow={"slide_type": "skip"}
def params(x, bits, symmetric=True, signed=True, **options):
    scheme = QuantizationScheme.from_bits(bits, signed)
    return QuantizationParams.from_tensor(torch.as_tensor(x), scheme, symmetric, **options)


def fit(x, bits, symmetric=True, **options):
    return UniformQuantizer(params(x, bits, symmetric, **options))


def with_step(scale, zero, qmin, qmax):
    return UniformQuantizer(QuantizationParams(torch.tensor(scale), torch.tensor(zero), qmin, qmax))


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Noise and SQNR: N1 to N7
#
# **[Predict]** All at 8 bits: a uniform signal, a full-scale sine, and a Gaussian signal with the range $\pm 5\sigma$. Which has the highest SQNR, which the lowest?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Which of the three signals is highest? Hands first.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def cells(x, reach, bits):  # 2^b cells of equal width from -reach to reach
    step = 2 * reach / 2**bits
    middle = with_step(step, 0, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return middle(x - step / 2) + step / 2


# %% tags=["fold", "predict"] slideshow={"slide_type": "fragment"}
n = 1_000_000
x, normal = samples.distribution("uniform", n), samples.distribution("normal", n)
sine = torch.sin(torch.arange(n, dtype=torch.float64))
full, loaded = fit(x, 8, False), 6.02 * 8 + 4.77 - 20 * log10(5)
power = (x - full(x)).square().mean()
verify([
    ("N1 bytes of 1000 int4 codes", 1000 * 4 / 8, pack_int4(torch.zeros(1000).char()).nbytes, 0),
    ("N2 noise power, uniform, 8 bits", noise_power(full.params.scale.item()), power, 1e-7),
    ("N4 SQNR of an error of 1/10, dB", 20, sqnr_db(x, 0.9 * x), 0.001),
    ("N5 normal, loading 5, 8 bits, dB", loaded, sqnr_db(normal, cells(normal, 5, 8)), 0.1),
    ("N6 uniform, 8 bits, dB", 6.02 * 8, sqnr_db(x, cells(x, 3**0.5, 8)), 0.1),
    ("N7 sine, 8 bits, dB", 6.02 * 8 + 1.76, sqnr_db(sine, cells(sine, 1, 8)), 0.2),
])

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The sine is highest: in the same range it has the most power. The Gaussian is lowest: its range must leave room for large values that hardly occur, and most values crowd in the middle. The noise of all three is close to $\Delta^2/12$; the difference is in $\Gamma$.
#
# Here the step is the range divided by $2^b$, as in the formula, with reconstructed values in the middle of the cells. In asymmetric quantization `quantcore` puts the two outermost levels at the ends of the range, so that the step is the range divided by $2^b - 1$, and the SQNR a little lower: by $20\log_{10}(256/255)$ at 8 bits, about 0.03 dB. The measured value of the sine is slightly below the prediction: it stays longest near its peaks, where the error is not uniform.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where formulas fail: N3, N8 to N10, N17, N18
#
# N3: a step of $6\sigma$ is so coarse that $\Delta^2/12$ is three times the true noise, and the corrected formula is right again. N8, N9: the range shrinks to $\pm 2\sigma$, and the noise inside and outside is measured separately. N10: only 3 bits. Without dither the error is correlated with the signal; with dither added and subtracted, the two are uncorrelated, and so are their squares. N17, N18: stochastic rounding has twice the noise power of rounding to nearest, but no bias, so the sum of a thousand errors is much smaller than with truncation.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask which formulas failed in this course, and under which condition.

# %% tags=["fold"]
steps = with_step(6.0, 0, -8, 7)
coarse_power = (normal - steps(normal)).square().mean()
series = sum((-1) ** k / k**2 * exp(-((2 * pi * k / 6) ** 2) / 2) for k in range(1, 9))
tail, density = erfc(2 / sqrt(2)) / 2, exp(-(2**2) / 2) / sqrt(2 * pi)
error, inner = (normal - with_step(2 / 15, 0, -15, 15)(normal)).square(), normal.abs() <= 2
granular = noise_power(2 / 15) * (1 - 2 * tail)
verify([
    ("N3 noise power, step 6", noise_power(6) + 36 / pi**2 * series, coarse_power, 0.005),
    ("N8 granular, c = 2, step 2/15", granular, (error * inner).mean(), 1e-5),
    ("N9 overload, c = 2", 2 * (5 * tail - 2 * density), (error * ~inner).mean(), 5e-4),
])

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def correlation(a, b):
    return torch.corrcoef(torch.stack([a, b]))[0, 1].item()


d = 0.5 * (torch.rand(n, generator=torch.Generator().manual_seed(0)).double() - 0.5)
plain, e = (sine - (with_step(0.5, 0, -4, 3)(sine + v) - v) for v in (0 * d, d))
verify([
    ("N10 dithered noise power, step 0.5", noise_power(0.5), e.square().mean(), 1e-4),
    ("N10 correlation of e and x", 0, correlation(e, sine), 0.01),
    ("N10 correlation of their squares", 0, correlation(e.square(), sine.square()), 0.01),
])
print(f"without dither: noise power {plain.square().mean():.4f}", end=", ")
print(f"correlation of e and x {correlation(plain, sine):.3f}")

# %% tags=["fold"] slideshow={"slide_type": "skip"}
u = torch.rand(n, generator=torch.Generator().manual_seed(1)).double()
e = 0.5 * ((normal / 0.5 + u).floor() - normal / 0.5)  # stochastic rounding, step 0.5
cut = normal.double() - 0.01 * (normal.double() / 0.01).floor()  # truncation, step 0.01
spread = {k: sqrt((k * 0.005) ** 2 + k * noise_power(0.01)) for k in (2, 1000)}
sums = {k: cut.view(-1, k).sum(1).square().mean().sqrt() for k in spread}
verify([
    ("N17 mean error, stochastic rounding", 0, e.mean(), 1e-3),
    ("N17 its noise power", 2 * noise_power(0.5), e.square().mean(), 1e-3),
    ("N18 sum of 2 truncated values", spread[2], sums[2], 1e-4),
    ("N18 sum of 1000 truncated values", spread[1000], sums[1000], 0.005),
])


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Optimal quantizers, entropy and rate–distortion: N11 to N16, N19, N20
#
# With a step of $0.1\,\sigma$ there are about 100 codes. The differential entropy of the Gaussian is $h = \tfrac12\log_2(2\pi\mathrm{e}\,\sigma^2)$. N12 looks at the mean error of each cell: these means are all 0 only if the reconstructed values really are centroids. N15 compares Lloyd–Max quantizers of 2 to 64 levels, and even spacing with entropy coding at various steps; none of them is below $D(R)$.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Only for a class that read 01b.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
fine = with_step(0.1, 0, -128, 127)
rate, mse = entropy(fine.quantize(normal)), (normal - fine(normal)).square().mean().item()
best, x_best = lloyd_max(8, "normal"), normal.double()
cell = torch.bucketize(x_best, best.thresholds)
e_best = x_best - best.levels[cell]
in_cell = torch.bincount(cell, e_best) / torch.bincount(cell)
coded = [(entropy(q.quantize(normal)), (normal - q(normal)).square().mean().item())
         for q in (with_step(s, 0, -128, 127) for s in (0.1, 0.3, 1.0, 2.0))]
fixed = [(log2(levels), lloyd_max(levels, "normal").mse) for levels in (2, 4, 8, 16, 32, 64)]
gaps = [10 * log10(d / gaussian_distortion(r)) for r, d in coded + fixed]

# %% tags=["fold"]
four_symbols = torch.tensor([0] * 4 + [1] * 2 + [2, 3])
verify([
    ("N11 Lloyd-Max, 8 levels (Max 1960)", 0.0345, best.mse, 1e-4),
    ("N12 largest mean error in a cell", 0, in_cell.abs().max(), 0.01),
    ("N12 mean of x e", e_best.square().mean(), (x_best * e_best).mean(), 1e-3),
    ("N13 entropy of 1/2, 1/4, 1/8, 1/8, bits", 1.75, entropy(four_symbols), 0),
    ("N14 entropy, step 0.1, bits", log2(2 * pi * euler) / 2 - log2(0.1), rate, 0.01),
    ("N15 quantizers below D(R), of 10", 0, sum(gap < 0 for gap in gaps), 0),
    ("N16 above D(R), dB", 10 * log10(pi * euler / 6), gaps[0], 0.02),
    ("N16 the same in bits", log2(pi * euler / 6) / 2, gaps[0] / (20 * log10(2)), 0.004),
])

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def code_length(counts):  # total length of a Huffman code, in bits
    heap, total = sorted(counts), 0
    while len(heap) > 1:
        merged = heap[0] + heap[1]
        heap, total = sorted([merged, *heap[2:]]), total + merged
    return total


# %% tags=["fold"] slideshow={"slide_type": "skip"}
thirds = torch.exp(-(torch.linspace(-12, 12, 24001, dtype=torch.float64) ** 2) / 6)
integral = (thirds / (2 * pi) ** (1 / 6)).sum().item() * 0.001
codes = torch.tensor([0] * 4 + [1] * 3 + [2] * 2 + [3])
length, bits, many = code_length([4, 3, 2, 1]) / 10, entropy(codes), lloyd_max(256, "normal")
verify([
    ("N19 MSE * L^2, Lloyd-Max, L = 256", integral**3 / 12, many.mse * 256**2, 0.04),
    ("N20 Huffman length - H in [0, 1)", 0.5, length - bits, 0.5),
])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Schemes: S1 to S6
#
# **[Compute]** $-3$ and then 5 are put into a byte. What is the byte as an unsigned number?

# %% [markdown] slideshow={"slide_type": "skip"}
# The measured values of S1 and S2 do not rely on `quantcore`: all codes of $b$ bits are listed (for S1, moved to the high bits of an int8 and back), and we look at the smallest and the largest. For E4M3 in S4, PyTorch decodes the code 1, the smallest positive number.

# %% tags=["fold", "predict"] slideshow={"slide_type": "fragment"}
codes, read = torch.arange(16, dtype=torch.uint8), torch.tensor([1, 126], dtype=torch.uint8)
signed = (codes << 4).view(torch.int8) >> 4
tiny, large = read.view(torch.float8_e4m3fn).tolist()
pair, seven = torch.tensor([-3, 5], dtype=torch.int8), torch.zeros(7, dtype=torch.int8)
fp4 = float_levels(2, 1)
verify([
    ("S1 least code of 4 bits, signed", -(2**3), signed.min(), 0),
    ("S1 greatest", 2**3 - 1, signed.max(), 0),
    ("S2 greatest code of 4 bits, unsigned", 2**4 - 1, codes.max(), 0),
    ("S3 the byte of (-3, 5)", (-3 % 16) + 16 * (5 % 16), pack_int4(pair).item(), 0),
    ("S3 bytes of 7 codes", ceil(7 / 2), pack_int4(seven).numel(), 0),
    ("S4 FP4 E2M1, least above 0", 2 ** (1 - 1) * 1 / 2, fp4[fp4 > 0].min(), 0),
    ("S4 FP8 E4M3, least above 0", 2 ** (1 - 7) * 1 / 8, tiny, 0),
    ("S4 FP8 E4M3, largest", 2 ** (15 - 7) * (1 + 6 / 8), large, 0),
])

# %% [markdown] slideshow={"slide_type": "notes"}
# The largest value of E4M3 has 6/8 and not 7/8, because the code with all bits 1 is left for NaN. S5 and S6 use Gaussian data: E4M3 has $w_{\mathrm m} = 3$; the range of INT8 has the $\Gamma$ of S6, so the two should be equal.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
gamma = 10 ** ((6.02 * (8 - 3) + 4.77 - 13.46) / 20)
eight, small = cells(normal, gamma, 8), normal.to(torch.float8_e4m3fn).float()
verify([
    ("S5 FP8 E4M3, normal, dB", 6.02 * 3 + 13.46, sqnr_db(normal, small), 0.2),
    ("S6 INT8 less E4M3, dB", 0, sqnr_db(normal, eight) - sqnr_db(normal, small), 0.3),
])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Parameters: P1 to P12
#
# The data are $[2, 2.5, 3]$ (P1, P2), $[-1, 3]$ and $[-1, 1.8]$ (P3, where $q_{\min} - x_{\min}/s$ is $-64.25$ and $-36.93$, both to be rounded), and standard normal samples (P4 to P8). P4, P6 and P7 are compared with the observers of PyTorch: a symmetric observer divides by half the range of the codes, which is P4 for the codes $[-7, 7]$, and P6 for $[-8, 7]$; for P7 we take the asymmetric one. P8 counts real bytes.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# See how far measured and predicted differ, then ask who chose the tolerance, and whether it is strict enough.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def observed(x, qmin, qmax, scheme=torch.per_tensor_symmetric):
    kind = torch.qint8 if qmin < 0 else torch.quint8
    observer = MinMaxObserver(kind, scheme, quant_min=qmin, quant_max=qmax)
    observer(x)
    return observer.calculate_qparams()[0].item()


# %% tags=["fold"]
w = samples.distribution("normal", 4096).view(32, 128)
grouped, reach = fit(w, 4, group_size=32), w.abs().max()
stored = pack_int4(grouped.quantize(w)).nbytes + grouped.params.scale.float().nbytes
shifted, mixed = params([2.0, 2.5, 3.0], 8, False, signed=False), params([-1.0, 3.0], 8, False)
affine = observed(w.abs(), 0, 15, torch.per_tensor_affine)
verify([
    ("P1, P2 scale of [2, 2.5, 3], uint8", 3 / 255, shifted.scale, 1e-7),
    ("P3 zero point of [-1, 3], int8", -64, mixed.zero_point, 0),
    ("P3 zero point of [-1, 1.8], int8", -37, params([-1.0, 1.8], 8, False).zero_point, 0),
    ("P4 as PyTorch, codes -7 to 7", observed(w, -7, 7), params(w, 4).scale, 1e-6),
    ("P5 largest |x| in steps", 8, reach / params(w, 4, full_range=True).scale, 1e-5),
    ("P6 as PyTorch, codes -8 to 7", observed(w, -8, 7), reach / 7.5, 1e-6),
    ("P7 as PyTorch, uint4", affine, params(w.abs(), 4, signed=False).scale, 1e-6),
    ("P8 bits per weight, g = 32", 4 + 32 / 32, 8 * stored / w.numel(), 0),
])

# %% [markdown] slideshow={"slide_type": "skip"}
# P9 looks at the left end of the range $[-1, 1.8]$; P10 takes uniform numbers in $[2, 3]$ and compares with a grid that does not contain 0; P11 takes three thousand groups of Gaussian numbers, 64 in each, at 8 bits; P12 calibrates on 9 samples each time, and looks at the 10th.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
ends, inner = torch.tensor([-1.0, 1.8]), torch.linspace(2, 3, 100_001)
coarse, own = fit(ends, 4, False), 2 + torch.round((inner - 2) * 255) / 255
s, z = coarse.params.scale, coarse.params.zero_point
loss = sqnr_db(inner, own) - sqnr_db(inner, fit(inner, 8, False)(inner))
groups = samples.distribution("normal", 64 * 3000).view(3000, 64)
pair = [fit(groups, 8, axis=0, full_range=full)(groups) for full in (False, True)]
gain = 10 * torch.log10((groups - pair[0]).square().mean() / (groups - pair[1]).square().mean())
tens = normal[:900_000].view(-1, 10).abs()
beyond = (tens[:, 9] > tens[:, :9].amax(1)).double().mean()
verify([
    ("P9 error at the left end", s * (z - (-8 + 1 / s)), -1 - coarse(ends)[0], 1e-6),
    ("P10 loss of [2, 3], dB", 20 * log10(3), loss, 0.05),
    ("P11 gain of 2^7, n = 64, dB", 20 * log10(128 / 127) - 10 * log10(1 + 6 / 63), gain, 0.05),
    ("P12 the tenth is beyond nine", 1 / 10, beyond, 0.005),
])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The quantizer: Q1 to Q6, V1 to V3
#
# The data are standard normal numbers and the ties $s\,(k + \tfrac12)$, and the range is only $[-1, 2]$, so that some values are always clipped. The results are compared with one line of numpy that follows the definition. The bound Q3 is only about the values that are not clipped; the gradient Q5 is 1 for exactly these and 0 for the others, and is compared element by element.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
narrow_q = fit([-1.0, 2.0], 4, symmetric=False)
s_q, z_q = narrow_q.params.scale, narrow_q.params.zero_point
ties = s_q * (torch.arange(-20, 20) + 0.5)
x_q = torch.cat([samples.distribution("normal"), ties]).requires_grad_()
codes_q, x_hat_q = narrow_q.quantize(x_q), narrow_q(x_q)
x_hat_q.sum().backward()
unclamped = np.rint(x_q.detach().numpy() / s_q.numpy()) + z_q.numpy()
by_hand = torch.from_numpy(unclamped.clip(-8, 7))
inside = torch.from_numpy((unclamped >= -8) & (unclamped <= 7))
largest = ((x_q - x_hat_q)[inside] / s_q).abs().max()

# %% tags=["fold"]
verify([
    ("Q1 codes that differ from numpy's", 0, (codes_q != by_hand).sum(), 0),
    ("Q2 largest difference from numpy's", 0, (x_hat_q - s_q * (by_hand - z_q)).abs().max(), 1e-6),
    ("Q3 largest |e| / s, not clipped", 0.5, largest, 0.01),
    ("Q4 largest |Q(Q(x)) - Q(x)|", 0, (narrow_q(x_hat_q) - x_hat_q).abs().max(), 0),
    ("Q4 steps down", 0, (narrow_q(x_q.detach().sort().values).diff() < 0).sum(), 0),
    ("Q4 Q(0)", 0, narrow_q(torch.zeros(1)).item(), 0),
    ("Q5 gradients that are not the mask", 0, (x_q.grad != inside.float()).sum(), 0),
])

# %% [markdown] slideshow={"slide_type": "skip"}
# Q6 is checked by automatic differentiation: each number has its own $s$, and the derivative of rint is taken as 1.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
v = samples.distribution("normal", 1000).double()
steps = torch.full_like(v, 0.3).requires_grad_()
u = v / steps
code = (u + (u.round() - u).detach()).clamp(-8, 7)  # its derivative is that of the clamp
(steps * code).sum().backward()
rounded = (v / 0.3).round()
lsq = torch.where((rounded >= -8) & (rounded <= 7), rounded - v / 0.3, rounded.clamp(-8, 7))
verify([("Q6 largest difference from autograd", 0, (steps.grad - lsq).abs().max(), 1e-9)])

# %% [markdown] slideshow={"slide_type": "skip"}
# V1 takes a fine staircase, with a step of $0.1\,\sigma$ and no clipping. The histogram of $e/s$ has 10 bins, and the density in each should be 1. V2 takes a sine. Its error depends on the signal, and the spectrum of the error is nothing but harmonics. With subtractive dither, the spectrum is divided into 4 parts, and the mean of each should be $s^2/12$. V3 takes three distributions.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
v = samples.distribution("normal", 2**20)
density = torch.histc((v - fine(v)).double() / 0.1, 10, -0.5, 0.5) / len(v) * 10
wave = torch.sin(2 * pi * 331 / 2**20 * torch.arange(2**20, dtype=torch.float64))
d = 0.1 * (torch.rand(2**20, generator=torch.Generator().manual_seed(0)).double() - 0.5)
spectra = [torch.fft.rfft(wave - (fine(wave + u) - u)).abs().square()[1:] for u in (0 * d, d)]
plain_4, quarters = (f.view(4, -1).mean(1) / 2**20 / noise_power(0.1) for f in spectra)
rows = [("V1 least density of e / s", 1, density.min(), 0.02),
        ("V1 greatest density of e / s", 1, density.max(), 0.02),
        ("V2 least quarter of the spectrum", 1, quarters.min(), 0.02),
        ("V2 greatest quarter of the spectrum", 1, quarters.max(), 0.02)]
for shape in ("normal", "laplace", "uniform"):
    t = samples.distribution(shape)
    predicted = 10 * log10(12 * 7**2) - 20 * log10(t.abs().max() / t.square().mean().sqrt())
    rows.append((f"V3 {shape}, 4 bits, dB", predicted, sqnr_db(t, fit(t, 4)(t)), 0.4))

# %% tags=["fold"] slideshow={"slide_type": "skip"}
verify(rows)
print("without dither, the quarters are", *(f"{quarter:.2f}" for quarter in plain_4))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Integer arithmetic: I1 to I5
#
# Two random matrices are both quantized asymmetrically, and no zero point is 0, so none of the four terms can be left out. I2 takes a thousand $M$ and finds the largest relative error. I3 is compared with float64, rounded once: codes that differ are off by only 1, and I5 gives the fraction of them.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Leave out one of the four terms: which row would fail first?

# %% tags=["fold"] slideshow={"slide_type": "skip"}
generator = torch.Generator().manual_seed(0)
a, b = torch.rand(256, 64, generator=generator), torch.randn(64, 64, generator=generator)
qa, qb, qc = fit(a, 8, False), fit(b, 8, False), fit(a @ b, 8, False)
pa, pb, pc, A, B = qa.params, qb.params, qc.params, qa.quantize(a).long(), qb.quantize(b).long()
za, zb, zc = (p.zero_point.item() for p in (pa, pb, pc))
acc = A @ B - zb * A.sum(1, keepdim=True) - za * B.sum(0) + 64 * za * zb
M = (pa.scale.double() * pb.scale / pc.scale).item()
m, shift = fixed_point_multiplier(M)
codes_out = integer_matmul(A, B, pa, pb, pc)
exact = ((acc.double() * M).abs() + 0.5).floor() * acc.sign()  # halves away from 0
wanted = (zc + exact).clamp(pc.qmin, pc.qmax)

# %% tags=["fold"]
many = torch.rand(1000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
error = max(abs(m.item() * 2.0 ** (-31 - n.item()) / M - 1)
            for M in many.tolist() for m, n in [fixed_point_multiplier(M)])
differ = (codes_out - wanted).abs().double()
verify([
    ("I1 largest difference", 0, (acc - (A - za) @ (B - zb)).abs().max(), 0),
    ("I2 largest relative error of M", 0, error, 2**-31),
    ("I3 largest difference of codes", 1, differ.max(), 0),
    ("I3 share of codes that differ", 2 ** -(shift.item() + 1), differ.mean(), 4e-4),
])

# %% [markdown] slideshow={"slide_type": "skip"}
# I4: $255^2$ added 33025 times is still in int32; added once more, the sum wraps around, to $2^{32}$ less than the true sum. I5 takes an $M$ with $n = 3$, and sixty thousand random sums.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
most = (2**31 - 1) // 255**2
last = [torch.tensor(k * 255**2).to(torch.int32).item() for k in (most, most + 1)]
again = torch.Generator().manual_seed(2)
sums_2 = torch.randint(-(10**6), 10**6, (60_000,), generator=again)
m_2, shift_2 = fixed_point_multiplier(0.0707)
ideal = ((sums_2.double() * 0.0707).abs() + 0.5).floor() * sums_2.sign()
off = (requantize(sums_2, m_2, shift_2) != ideal).double().mean()
verify([
    ("I4 terms of 255 * 255 in int32", 33025, most, 0),
    ("I4 their sum", most * 255**2, last[0], 0),
    ("I4 one more: the true sum less int32's", 2**32, (most + 1) * 255**2 - last[1], 0),
    ("I5 share off by one, n = 3", 2 ** -(shift_2.item() + 1), off, 0.005),
])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The network: T1 to T4
#
# T1 uses a batch normalization with random parameters. T2 takes the trained network for digits, with three layers of weights, quantizes them per channel at 6 bits, and measures the noise power of the network's output. T3 takes a matrix whose rows differ greatly in magnitude. T4 counts the bytes of all that is stored for the last layer.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
dice = torch.Generator().manual_seed(0)
norm = torch.nn.BatchNorm2d(3).eval()
for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
    t.data = torch.rand(3, generator=dice) + 0.5
kernel = torch.randn(3, 2, 3, 3, generator=dice)
image = torch.rand(1, 2, 8, 8, generator=dice)
ratio = norm.weight / (norm.running_var + norm.eps).sqrt()
folding = norm(torch.conv2d(image, kernel))
folding -= torch.conv2d(image, kernel * ratio[:, None, None, None],
                      norm.bias - norm.running_mean * ratio)

# %% tags=["fold"] slideshow={"slide_type": "skip"}
network, images = samples.digits_network(), samples.digits()[2]
weights = {i: network[i].weight for i in (0, 2, 5)}
y_net, coarse_w = network(images), {i: fit(w, 6, axis=0)(w) for i, w in weights.items()}


def output_noise(layers):
    changed = {f"{i}.weight": coarse_w[i] for i in layers}
    return (torch.func.functional_call(network, changed, images) - y_net).square().mean().item()


rows_of = samples.distribution("normal", 8 * 5000).view(8, 5000)
spread = rows_of * 2.0 ** torch.arange(-4, 4).clamp(max=0)[:, None]
one, each = fit(spread, 8)(spread), fit(spread, 8, axis=0)(spread)
gain_3 = sqnr_db(spread[2], each[2]) - sqnr_db(spread[2], one[2])
predicted_gain = 20 * log10(spread.abs().max() / spread[2].abs().max())


# %% tags=["fold"]
codes, layer = fit(weights[5], 4, axis=0), weights[5]
stored = {
    "w": pack_int4(codes.quantize(layer)), "s": codes.params.scale, "bias": network[5].bias,
    "input_s": torch.tensor(0.1), "input_z": torch.tensor(0, dtype=torch.int8),
}
formula = ceil(layer.numel() * 4 / 8) + 8 * len(layer) + 5
verify([
    ("T1 difference after folding", 0, folding.abs().max(), 1e-5),
    ("T2 noise of all layers / sum of each", 1, output_noise(weights) / sum(
        output_noise([i]) for i in weights), 0.1),
    ("T3 gain of row 2, dB", predicted_gain, gain_3, 0.5),
    ("T4 bytes of the last layer, 4 bits", formula, sum(t.nbytes for t in stored.values()), 0),
])

# %% [markdown] slideshow={"slide_type": "skip"}
# With this the table has been checked. Each row is within its tolerance, or the run would have stopped at the cell with the error.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Three formulas from tutorials
#
# Many tutorials end with a list of three formulas:
#
# | concept | formula |
# |:--|:--|
# | uniform quantization | $Q(x) = \operatorname{rint}(x/s + z)$ |
# | dequantization | $\hat x = s\,(q - z)$ |
# | symmetric quantization | $z = 0,\; s = x_{\max}/2^{b-1}$ |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Three lines: how many places need to be corrected? Groups search, and the group that found all explains.

# %% [markdown]
# **[Think]** What must be changed in these three rows? Go row by row: which $x$ makes it go wrong?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The first row has two faults: there is no clipping, and the zero point is inside the rounding. The third has two: $x_{\max}$ should be the largest magnitude; and $2^{b-1}$ is one convention, which needs clipping. The formula of the second row is right, but if $q$ and $z$ are subtracted directly in unsigned 8-bit integers, the result wraps around.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# We turn the formulas into code literally, and see what happens. Without clipping, only the low $b$ bits of a code are kept when it is stored in $b$ bits: it wraps around. The left column follows the formulas of the tutorials, the right one `quantcore`.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def compare(name, wrong, right, heads=None):
    if heads:
        print(f"{'':46}{heads[0]:>11}{heads[1]:>11}")
    print(f"{name:46}{float(wrong):11.3f}{float(right):11.3f}")


def wrap(code, bits):
    return (code + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


# %% tags=["predict"] slideshow={"slide_type": "fragment"}
half, pair = torch.tensor(0.5), torch.tensor([-3.0, 1.0])
code, zero = torch.tensor([3], dtype=torch.uint8), torch.tensor([5], dtype=torch.uint8)
literal, odd = wrap((pair / (1 / 8)).round(), 4) / 8, with_step(1.0, 1, 0, 255)
back, heads = with_step(1.0, 5, 0, 255).dequantize(code), ("tutorial", "quantcore")
clamped = with_step(0.01, 0, -128, 127)(3 * half)
compare("no clamp: 1.5 at s = 0.01", 0.01 * wrap(round(1.5 / 0.01), 8), clamped, heads)
compare("z inside: the code of 0.5 at s = 1, z = 1", (half + 1).round(), odd.quantize(half))
compare("q - z in uint8: q = 3, z = 5, s = 1", code - zero, back)
compare("x_max, not max|x|: -3 in [-3, 1], int4", literal[0], fit(pair, 4)(pair)[0])
compare("max|x| / 2^(b-1): 1 in [-1, 1], int4", literal[1], fit([-1.0, 1.0], 4)(pair)[1])

# %% [markdown] slideshow={"slide_type": "notes"}
# In the first row 1.5 overflows, wraps around, and becomes negative. The last three rows wrap around as well: $-2$ becomes 254, $-3$ becomes $-1$, and 1 becomes $-1$. With clipping, the last row but one would still give $-1$, because the range was chosen too small. The last row would not be wrong, but its price must be stated: for a step that is finer by 1/8, the largest positive value is clipped to 0.875.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Corrected:
#
# | concept | formula | what was changed, and why |
# |:--|:--|:--|
# | uniform quantization | $q = \operatorname{clamp}(\operatorname{rint}(x/s) + z,\, q_{\min},\, q_{\max})$ | Clipping is part of the definition; without it a code does not fit into $b$ bits. The zero point is added after rounding: ties go to even, and an odd zero point added first swaps even and odd; ONNX rounds first, too |
# | dequantization | $\hat x = s\,(q - z)$ with integers $q$ and $z$, converted to float or int32 before subtracting | The formula stays. The types are added: codes are true integers, not floats that hold integers; subtracted in 8 bits, they can overflow |
# | symmetric quantization | $z = 0$, $s = \dfrac{\max\lvert x\rvert}{2^{b-1}-1}$; or $s = \dfrac{\max\lvert x\rvert}{2^{b-1}}$ (`full_range=True`, the largest positive value is clipped) | $x_{\max}$ becomes $\max\lvert x\rvert$, or a wider negative side would be clipped. Both divisors are in use, and one must say which |

# %% [markdown] slideshow={"slide_type": "notes"}
# Who uses which divisor, and when it matters, is in [Quantization parameters](03_params.ipynb).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Twelve things that are easy to get wrong
#
# The last twelve questions of the examination are these twelve, in order, with other numbers. Now answer them in another way: give the reason in one sentence, with a counterexample where there is one. The two cells below give two numbers for each: the one that the wrong idea gives, and the right one.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Once more with other numbers: students ask each other.

# %% [markdown] slideshow={"slide_type": "notes"}
# | no. | question | chapter |
# |:--|:--|:--|
# | 1 | All data lie in $[2, 3]$, so $x_{\min} = 2$. Right? | [Quantization parameters](03_params.ipynb) |
# | 2 | Symmetric int4, $\max\lvert x\rvert = 1$. Dividing by 8, by 15 or by 7: which gives the largest value back exactly? And unsigned? | [Quantization parameters](03_params.ipynb) |
# | 3 | Is dequantization $s\,(q + z)$ or $s\,(q - z)$? May the zero point be a fraction? | [The uniform quantizer](04_quantizer.ipynb) |
# | 4 | If the fraction is simply dropped (truncation), how much more noise is that than rounding to nearest? | [The uniform quantizer](04_quantizer.ipynb) |
# | 5 | Does it matter whether the zero point is added before rounding, or after? | [The uniform quantizer](04_quantizer.ipynb) |
# | 6 | The amplitude of the error is 1/100 of the signal's. Is the SQNR 20 dB or 40 dB? | [Information theory](01_information_theory.ipynb) |
# | 7 | Is the error always independent of the signal? Does $\Delta^2/12$ always hold? | [Information theory](01_information_theory.ipynb) |
# | 8 | How many bytes do a thousand int4 codes take in a float32 tensor? And packed? | [Quantization schemes](02_schemes.ipynb) |
# | 9 | Is dimension 0 of the weight of a convolution always the output channels? | [Quantization parameters](03_params.ipynb) |
# | 10 | Is the range from minimum to maximum the safest choice? | [Quantization parameters](03_params.ipynb) |
# | 11 | Does the straight-through estimator pass all gradients? | [The uniform quantizer](04_quantizer.ipynb) |
# | 12 | To multiply two quantized matrices, multiply the codes, and the result by $s_1 s_2$. Right? | [Integers only](04b_integer.ipynb) |

# %% [markdown]
# **[Think]** Have you written down all twelve answers? Then run the cells.

# %% tags=["predict"] slideshow={"slide_type": "subslide"}
x, v = torch.tensor([2.5, 1.0, 0.7]), 10 * samples.distribution("uniform")
whole, wide = fit([-1.0, 2.0], 8, False), fit([2.0, 3.0], 8, False)
s, z, q = whole.params.scale, whole.params.zero_point, whole.quantize(x)
truncated, rounded = (v - v.trunc()).square().mean(), (v - v.round()).square().mean()
eight, seven = with_step(1 / 8, 0, -8, 7), with_step(1 / 7, 0, -8, 7)
narrow, heads = with_step(1 / 255, 0, 0, 255), ("believed", "right")
compare(" 1  2.5, from data in [2, 3], comes back as", narrow(x)[0], wide(x)[0], heads)
compare(" 2  1.0, int4, comes back as", eight(x)[1], seven(x)[1])
compare(" 3  0.7 comes back as", s * (q + z)[2], s * (q - z)[2])
compare(" 4  noise power / step²", rounded, truncated)
compare(" 5  the code of 0.5 at s = 1, z = 1", (half + 1).round(), half.round() + 1)
compare(" 6  SQNR of an error of 1/100, dB", 10 * log10(100), sqnr_db(v, 0.99 * v))

# %% tags=["predict"]
x, spiky = samples.distribution("normal"), samples.distribution("outliers")
leaf, packed = x.clone().requires_grad_(), torch.zeros(1000, dtype=torch.int8)
fit([-1.0, 1.0], 4)(leaf).sum().backward()
related = abs(correlation(x, x - fit(x, 2)(x)))
wide, cut = fit(spiky, 4), fit(spiky, 4, method="mse")
weight = torch.nn.ConvTranspose2d(3, 8, kernel_size=2).weight
product, heads = pa.scale * pb.scale * (A @ B), ("believed", "right")
compare(" 7  |correlation| of x and e, 2 bits", 0, related, heads)
compare(" 8  bytes of 1000 int4 codes, in float32", pack_int4(packed).nbytes, packed.float().nbytes)
compare(" 9  output channels of this ConvTranspose2d", weight.shape[0], weight.shape[1])
compare("10  SQNR with outliers, 4 bits, dB", *(sqnr_db(spiky, q(spiky)) for q in (wide, cut)))
compare("11  fraction of gradients that pass", 1, leaf.grad.mean())
compare("12  one entry of a product", product[0, 0], (qa(a) @ qb(b))[0, 0])

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 1. No. The range always contains 0, so $x_{\min} = 0$. Otherwise the zero point lies outside the codes, is clipped, and all values become 1.0, with no error message.
# 2. Divide by $2^{b-1} - 1 = 7$. Unsigned has no negative half; divide by $2^b - 1$.
# 3. Minus. $z$ is the code of 0, so $q = z$ must give 0. The zero point must be an integer, or 0 is not exact and integer arithmetic is impossible.
# 4. The largest error goes from $s/2$ to $s$, and the noise power is four times as much, a loss of 6 dB, worth one bit.
# 5. Yes. Exact ties change: they go to even, and an odd zero point swaps even and odd. In half precision, with a large zero point, $x/s + z$ itself loses the fraction.
# 6. 40 dB. Amplitudes take $20\log_{10}$, powers $10\log_{10}$. 1.76 dB belongs to the full-scale sine only.
# 7. No to both. With few bits, with a signal on the grid, or with a frequency that divides the sampling rate, the error follows the signal. Subtractive dither removes this correlation.
# 8. 4000 bytes. As int8 it is 1000, and only when packed two to a byte is it 500.
# 9. No. The weight of a transposed convolution (`ConvTranspose2d`) has the shape `(input, output, height, width)`, with output channels in dimension 1.
# 10. No. An outlier makes the step large and harms all the others. With a few values clipped, the total error is smaller.
# 11. No. Where the code is out of range, the gradient is 0; otherwise values whose output has long been saturated would be pushed farther and farther.
# 12. No. There are three more terms, with zero points. They all vanish only when both zero points are 0.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Where to go from here
#
# The methods below are used for large language models. Each can be described in the terms of this course.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# One question for each method: which quantity of the formula does it change?

# %% [markdown] slideshow={"slide_type": "notes"}
# | method | what it does | source |
# |:--|:--|:--|
# | GPTQ | Weights are rounded column by column, and after each column those not yet rounded are adjusted to make up for its error. By how much is decided by second-order information from calibration data (the mean products of pairs of inputs). So what is minimized is the error of the layer's output, and not that of the weights. | [Frantar et al., 2023](references.ipynb) |
# | AWQ | Where activations are large, weights matter more. The weights of these channels are enlarged before quantization and the activations reduced to match: the product stays the same, and the error shrinks. | [Lin et al., 2024](references.ipynb) |
# | SmoothQuant | Activations have channels that stand out and are hard to quantize; weights vary less, and are easy. Divide activations and multiply weights by the same number for each channel, and the difficulty moves from activations to weights, until both can use 8 bits. | [Xiao et al., 2023](references.ipynb) |
# | LLM.int8() | Outliers gather in a few dimensions of features; these are taken out and multiplied in 16 bits. The rest is multiplied in int8, with a scale for each row of activations and each column of weights. | [Dettmers et al., 2022](references.ipynb) |
# | by rotation: QuaRot | The activations between layers are rotated by an orthogonal matrix (a random Hadamard matrix, whose entries all have the same magnitude), which spreads outliers over all dimensions. Most rotations can be merged into weights, the others are computed at run time, and the output of the network stays the same. | [Ashkboos et al., 2024](references.ipynb) |
# | by rotation: SpinQuant | Random rotations differ a lot in how well they work. So the rotation is learned from a little data, and kept orthogonal as it is learned. | [Liu et al., 2025](references.ipynb) |
# | MX formats | Every 32 numbers share a scale of 8 bits, which must be a power of 2; each number is FP8, FP6, FP4 or INT8. This is quantization per group, turned into a standard that hardware can support directly. | [Open Compute Project, 2023](references.ipynb) |

# %% [markdown] slideshow={"slide_type": "notes"}
# To read the theory from the beginning, there are two surveys: ([Gray & Neuhoff, 1998](references.ipynb)) on the theory of quantization and its history, ([Nagel et al., 2021](references.ipynb)) on how neural networks are quantized.

# %% [markdown]
# **[Think]** GPTQ, AWQ, SmoothQuant, QuaRot: which quantity in the table of all formulas does each of them change?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# GPTQ changes the rounding in Q1: no longer each to its nearest integer. SmoothQuant changes the ranges of group P: the maximum of the activations is smaller, and so is their $s$. AWQ changes the $x$ of Q1: important weights are enlarged while $s$ hardly changes, so the same rounding error counts for less. QuaRot changes the ratio of the peak to the root mean square in V3.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why rotating helps
#
# Take 64 standard normal numbers, and replace the first by 50. The 50 sets the step of symmetric int4, and the other 63 all become 0.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Give it enough time. Let students guess the SQNR after the rotation, and write the guesses on the board first.

# %% [markdown]
# **[Predict]** First multiply by an orthogonal matrix whose entries are all $\pm1/\sqrt{64}$, then quantize, and rotate back. An orthogonal transform changes neither the power of the error nor that of the signal. Does the SQNR improve? Can you compute what it becomes?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Yes. The power stays the same, but the maximum is smaller: 50 is spread over 64 components, each of which gets only $50/\sqrt{64}$, plus a little from the other 63 numbers.
#
# Before the rotation $s^2/12$ does not hold: 63 numbers become 0, and the noise is the power of these 63 numbers themselves. After it the error is nearly uniform, and V3 can be used.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
H = torch.ones(1, 1, dtype=torch.float64)
for _ in range(6):
    H = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64), H) / 2**0.5
x = samples.distribution("normal", 64).double()
x[0] = 50
y, signal = H @ x, x.square().sum()
lost = 10 * torch.log10(signal / x[1:].square().sum())
flat = 10 * log10(12 * 7**2) - 20 * torch.log10(y.abs().max() / (signal / 64).sqrt())
cases = [("as it is", x, fit(x, 4)(x), lost), ("rotated", y, H.T @ fit(y, 4)(y), flat)]
for name, v, x_hat, predicted in cases:
    print(f"{name:9} max {v.abs().max():5.2f}   SQNR predicted {predicted:5.2f} dB", end="   ")
    others = sqnr_db(x[1:], x_hat[1:])
    print(f"measured {sqnr_db(x, x_hat):5.2f} dB   the other 63 alone {others:4.2f} dB")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The last picture
#
# This picture brings the main thread of the course together: the step, the error and the SQNR.
#
# **[Try]** Drag the bit width, untick symmetric and tick it again, and tell the story of the picture: what the step is, why the error is flat at 8 bits, why the SQNR is less than $6.02\,b$, what changes without symmetric and what does not. When you can tell it, you have finished this course.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# At the end let one student tell the whole course from this picture, in 3 minutes.

# %% slideshow={"slide_type": "subslide"}
explore.quantization(samples.distribution("normal"))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary

# %% [markdown]
# - Quantization is lossy compression. Without clipping and with a uniform error, the power that is lost is $\Delta^2/12$.
# - One more bit roughly halves the step, and adds about 6.02 dB to the SQNR. At a given bit width, the SQNR depends on the ratio of the signal to the range.
# - A wide range means a coarse step, a narrow range means much clipping. `mse` and `aciq` weigh one against the other; `minmax` and `percentile` do not, and `entropy` looks at the shape of the distribution.
# - The scale decides the step, the zero point keeps 0 exact. Round first, then add the zero point, clip last.
# - The finer the granularity, the more scales. Count their bits, too.
# - Integer products need no floats: four terms, one fixed-point multiplier, one shift.
# - Every formula has conditions. Ask for them before you use it, and measure afterwards.

# %% [markdown] slideshow={"slide_type": "skip"}
# Go back to [Start](00_start.ipynb), or open any chapter.
