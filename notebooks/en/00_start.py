# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # Start: the foundations and mathematics of quantization
#
# We would like to run a language model of 7 billion parameters on our own computer. Its weights are stored as 16-bit floats, 2 bytes for each parameter, 14 GB in all. The graphics card has 8 GB of memory, so the model does not fit. Would it fit if each parameter took only 8 bits, or only 4? And stored so coarsely, would the model still be of any use?
#
# **Quantization** is this kind of storage: choose finitely many integers, then use them to approximate the real numbers of a range. Bytes are saved, and some accuracy is lost. How much is lost? Can it be calculated? When can the calculation not be trusted? The course answers these three questions.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Begin with a question: who has run a language model on a computer of their own? Was there enough memory? Write 14 GB and 8 GB on the board, to come back to. 3 minutes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **After this chapter you can:**
#
# - compute how many bytes a model takes after quantization, its scales included;
# - move a slider, and read the staircase of a quantizer;
# - quantize and dequantize a number by hand, and read the notation of the whole course;
# - describe any quantization method by five questions, and say how far this course goes;
# - say what a layer of a network computes, and why a convolution is a matrix product, too.

# %% [markdown] slideshow={"slide_type": "skip"}
# | section | time |
# |:--|:--|
# | A model that does not fit | 10 minutes |
# | The first slider | 15 minutes |
# | The journey of a number | 15 minutes |
# | The landscape of quantization | 10 minutes |
# | The map of the course, and how to study | 5 minutes |
# | Just enough about networks | 10 minutes |
# | Exercises | 21 minutes |
# | Summary | 5 minutes |
# | Appendix | 15 minutes |
#
# The exercises are for after class and the appendix is for looking things up, so neither takes time in class; the other sections take 70 minutes together. If a cell answers with `No module named` or with another error, go to “Check the environment” in the appendix first.

# %% slideshow={"slide_type": "skip"}
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import exercises, explore, samples, schematics, sqnr_db

# %% [markdown] slideshow={"slide_type": "skip"}
# All of the mathematics lives in `quantcore`. It is a small Python package; what concerns the mathematics is less than two thousand lines, and you are welcome to read them all.
#
# The next line sets the language of the controls. The text in the figures is always English and symbols, so that no computer without a Chinese font shows boxes; a table in the appendix says what the labels mean.

# %% slideshow={"slide_type": "skip"}
explore.set_language("en")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## A model that does not fit
#
# Many open language models have some 7 billion parameters, and often 7B (7 billion) in their names. Parameters are usually trained as 32-bit floats (float32); most models are published in 16 bits (float16 or bfloat16).
#
# Suppose that there are $N$ parameters of $b$ bits each. A byte is 8 bits, so together they take
#
# $$
# \frac{N\,b}{8} \ \text{bytes}
# $$
# [[N1](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# When the weights are quantized to integers of 8 or 4 bits, the integers are not all that must be stored: the conversion between integers and real numbers must be stored, too. A common choice is for every 128 weights to share one **scale** of 16 bits, which is $16/128 = 0.125$ bits for each weight. How a scale is chosen, and why weights are grouped like this, is the subject of [Quantization parameters](03_params.ipynb).

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Stored in 16, 8 and 4 bits, with the scales, how many GB does the model take? Which of the three fit on a card of 8 GB? Here 1 GB is $10^9$ bytes.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Numbers first, then hands. A common mistake is to forget the division by 8, which gives 112 GB; some forget the scales. Let somebody say how many bits a scale adds to each weight.

# %%
exercises.predict("model-size")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# There are 7 billion parameters. With 16 bits each they take $7 \times 10^9 \times 16 / 8$ bytes, which is 14 GB and does not fit. With 8 bits they take 7 GB, and 7.11 GB with the scales; with 4 bits 3.5 GB, and 3.61 GB with the scales, a little more than a quarter of what 16 bits take. Both of these fit.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
parameters, group, card = 7e9, 128, 8e9
print("bits   weights, GB   scales, GB   total, GB   bits/weight   fits in 8 GB")
for bits in (32, 16, 8, 4):
    weights = parameters * bits / 8
    scales = parameters / group * 16 / 8 if bits < 16 else 0
    total = weights + scales
    print(
        f"{bits:4} {weights / 1e9:13.2f} {scales / 1e9:12.2f} {total / 1e9:11.2f}"
        f" {8 * total / parameters:13.3f}   {total <= card}"
    )

# %% [markdown] slideshow={"slide_type": "notes"}
# That the weights fit does not mean that the model runs. Intermediate results take memory as well, and the longer the text that the model reads, the more they take. Weights of 8 bits leave less than 1 GB for them, weights of 4 bits leave more than 4 GB.

# %% [markdown] slideshow={"slide_type": "notes"}
# An integer of 4 bits has only 16 different values. The 128 weights that share a scale have at most 16 different values once they are quantized. Why can such a model still be used? To answer this we must know how large the error is, where it comes from, and how to make it smaller. We begin with a smaller example.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The first slider
#
# Suppose that the data lie in the interval $[-1, 2]$. We represent them by integers of $b$ bits, and $b$ is called the **bit width**. There are $2^b$ integers of $b$ bits, so after quantization there are at most $2^b$ different values. Each of these values is a **level**, and the distance between two neighboring levels is the **step**.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Now $b = 3$. If you set $b$ to 4:
#
# 1. How many levels are there?
# 2. Is the step exactly half of what it was?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let the class vote: exactly half, less than half, more than half. Most say exactly half. Ask one who says no for the reason, which leads to “one gap fewer than levels”.

# %%
exercises.predict("step-ratio")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 1. $2^4 = 16$, twice as many.
# 2. No, it is a little less than half. There are 7 gaps between 8 levels and 15 gaps between 16 levels, so the step goes from $3/7$ to $3/15$, which is $7/15$ of what it was. The larger the bit width, the closer this ratio comes to $1/2$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Try]** Drag “bit width b”, and tick and untick “symmetric”. The keyboard works as well: press Tab until you are on the control, then use the arrow keys. If the slider does not move, see “When a slider does not move” in the appendix.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Before it moves, ask: with symmetric ticked, on which side will there be more stairs? Stop at 2 bits and count the stairs, then go to 8 and ask why the green line is as high as before.

# %%
explore.staircase(bits=3, symmetric=False)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **How to read this figure.**
#
# - Left: the horizontal axis is the original value $x$, the vertical axis the value after quantization, $\hat x$ (say “x hat”). A horizontal piece is one stair. All $x$ on the same stair become indistinguishable. The dashed line is $\hat x = x$.
# - Right: the green line is the error $x - \hat x$ divided by the step. Wherever the stairs reach, it stays between $\pm\tfrac12$. Beyond them $\hat x$ no longer changes, the error keeps growing, and the green line leaves the picture at the top and at the bottom. Pressing whatever lies beyond the range onto the outermost level is called **clipping** (also saturation, or limiting).
# - The orange line on the right is 1 inside the range and 0 outside. It is the gradient that training uses; [The uniform quantizer](04_quantizer.ipynb) comes to it.
# - The numbers below the figure are, in order: the scale $s$ (which here is the step), the zero point $z$, the number of levels, and the largest level.

# %% [markdown] slideshow={"slide_type": "notes"}
# The largest level is 2.143, a little more than the largest value of the data, 2. The picture is right: the zero point $z$ must be an integer, and when $z$ is rounded, all levels shift with it, by at most half a step. [Quantization parameters](03_params.ipynb) derives this distance.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Think]** Tick “symmetric”, and the step grows. The number of levels has not changed. Why does the step grow?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# The usual answer is that there are fewer levels. Let them count: the number of levels has not changed, the range has.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Symmetric quantization is as wide on the negative side as on the positive side. The data go down to $-1$, but the stairs go on below $-2$. The outermost levels of the negative side are wasted, and those that remain must lie farther apart. Whether to quantize symmetrically is a question for [Quantization parameters](03_params.ipynb).
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# **A formula for the step.** Call the two ends of the data $x_{\min}$ and $x_{\max}$. Between $2^b$ levels there are $2^b - 1$ gaps, so the step of asymmetric quantization is
#
# $$
# s = \frac{x_{\max} - x_{\min}}{2^b - 1}
# $$
# [[P2](06_summary.ipynb#All-formulas)]
#
# For $b = 2$, for example, $s = 3/3 = 1$. Run the next cell to check it: one column follows the formula, the other is what `quantcore` finds from the data.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let a student write the step for b = 2 on the board, then show the table.

# %% slideshow={"slide_type": "fragment"}
x = torch.tensor([-1.0, 2.0])
print("b   levels   s predicted   s measured")
for b in range(2, 9):
    scheme = QuantizationScheme.from_bits(b)
    params = QuantizationParams.from_tensor(x, scheme, symmetric=False)
    print(f"{b}   {scheme.levels:6}   {3 / (2**b - 1):11.5f}   {params.scale.item():10.5f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The journey of a number
#
# Let us now follow one number all the way. On the way out, the real number $x$ becomes an integer $q$, its **code**:
#
# $$
# q = \operatorname{clamp}\!\left(\operatorname{rint}\!\left(\frac{x}{s}\right) + z,\; q_{\min},\; q_{\max}\right)
# $$
# [[Q1](06_summary.ipynb#All-formulas)]

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Write three letters in a corner of the board and leave them for the whole class: x, q, x̂.

# %% [markdown] slideshow={"slide_type": "subslide"}
# On the way back, the code $q$ becomes a real number $\hat x$, the **reconstructed value**:
#
# $$
# \hat x = s\,(q - z)
# $$
# [[Q2](06_summary.ipynb#All-formulas)]
#
# The way out is **quantization**, the way back is **dequantization**. There are two parameters:
#
# - The scale $s > 0$: how much the reconstructed value grows when the code grows by 1. $s$ has the unit of $x$.
# - The **zero point** $z$: the code of the real number 0, an integer.

# %% [markdown] slideshow={"slide_type": "notes"}
# And there are two operations. $\operatorname{rint}$ is **rounding** to the nearest integer; a number exactly halfway between two integers goes to the even one. $\operatorname{clamp}$ is clipping: a code outside $[q_{\min}, q_{\max}]$ is brought back to the nearer end. The order matters: round, then add the zero point, then clamp. [The uniform quantizer](04_quantizer.ipynb) shows why.

# %% [markdown] slideshow={"slide_type": "subslide"}
# In the next figure the real axis is above, with the range of the data in blue; below are the integers, each code under the value that it represents. The red line joins the real 0 and the zero point, and the blue arrow shows where $x = 0.7$ goes.

# %%
schematics.number_line()

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** Take $x = 0.7$ and the 3-bit asymmetric quantizer from above: the data lie in $[-1, 2]$, the codes run from $-4$ to 3. With pen and paper, what are $s$, $z$, $q$, $\hat x$ and the error $e = x - \hat x$? For the zero point use $z = \operatorname{rint}(q_{\min} - x_{\min}/s)$, which [Quantization parameters](03_params.ipynb) will derive.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Two minutes with pen and paper. As you walk round look for two things: a zero point of +2, and adding the zero point before rounding.

# %%
exercises.predict("code-by-hand")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The scale is $s = 3/7$, the zero point $z = \operatorname{rint}(-4 + 7/3) = \operatorname{rint}(-1.67) = -2$.
#
# $x/s = 1.63$ is rounded to 2; adding the zero point gives $q = 0$, which is inside the range.
#
# $\hat x = s\,(0 + 2) = 6/7$ and $e = 0.7 - 6/7 \approx -0.157$, in magnitude less than $s/2 \approx 0.214$.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
s, z, qmin, qmax = 3 / 7, round(-4 + 7 / 3), -4, 3
q = min(max(round(0.7 / s) + z, qmin), qmax)
by_hand = [s, z, q, s * (q - z), 0.7 - s * (q - z)]

params = QuantizationParams.from_tensor(x, QuantizationScheme.INT3, symmetric=False)
three_bits, value = UniformQuantizer(params), torch.tensor(0.7)
measured = [params.scale, params.zero_point, three_bits.quantize(value)]
measured += [three_bits(value), value - three_bits(value)]
for name, a, m in zip(["s", "z", "q", "x̂", "e"], by_hand, measured):
    print(f"{name}   predicted {a:8.4g}   measured {m.item():8.4g}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three classes, one job each
#
# The code above used three classes, and so does the whole course.
#
# | class | what it holds | how you get one |
# |:--|:--|:--|
# | `QuantizationScheme`, the scheme | which integers a code can be: $q_{\min}$, $q_{\max}$, the bit width, the storage type; it does not depend on the data | write its name, such as `QuantizationScheme.INT8` |
# | `QuantizationParams`, the parameters | how integers correspond to real numbers: $s$, $z$, and also $q_{\min}$ and $q_{\max}$ | `QuantizationParams.from_tensor(x, scheme)` computes them from the data `x` |
# | `UniformQuantizer`, the quantizer | one set of parameters, and the operations that use them | `UniformQuantizer(params)` |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Three classes for three questions: which integers, how they correspond, how it is computed.

# %% [markdown] slideshow={"slide_type": "notes"}
# `from_tensor` is symmetric by default: `symmetric=True`, and then $z = 0$. For asymmetric quantization you must write `symmetric=False`.

# %% [markdown] slideshow={"slide_type": "subslide"}
# A quantizer is used in three ways: `quantizer.quantize(x)` returns codes, a tensor of integers; `quantizer.dequantize(q)` returns reconstructed values from codes; `quantizer(x)` does both at once, from $x$ straight to $\hat x$. This last is called **fake quantization**, because what it returns is still floats.

# %% slideshow={"slide_type": "fragment"}
quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, QuantizationScheme.INT4))
codes = quantizer.quantize(x)
print("symmetric by default: z =", quantizer.params.zero_point.item())
print("quantize   ", codes)
print("dequantize ", quantizer.dequantize(codes))
print("both       ", quantizer(x))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The error of many numbers
#
# One number has the error $e$. For many numbers we average: the mean of the squared error is the **quantization noise power**, written $\sigma_q^2$ (say “sigma q squared”). “Power” means the mean of the square; the power of the signal $x$ is the mean of $x^2$. The ratio of the two powers is the **signal-to-quantization-noise ratio** (SQNR), usually on a logarithmic scale, in decibels (dB):
#
# $$
# \sigma_q^2 = \frac1N \sum_{i=1}^{N} (x_i - \hat x_i)^2,
# \qquad
# \mathrm{SQNR} = 10 \log_{10} \frac{\frac1N\sum_{i=1}^{N} x_i^2}{\sigma_q^2} \ \text{dB}
# $$
# [[N4](06_summary.ipynb#All-formulas)]
#
# The larger the SQNR, the better. Each additional 10 dB divides the noise power by ten.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Ten thousand numbers from a standard normal distribution are quantized symmetrically to 8 bits. Is the SQNR about 20 dB, 40 dB, or 80 dB?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Guess first. Those who guess 80 dB have mostly confused power and amplitude; whoever says 48 dB has read about 6 dB per bit, and should remember it for the next chapter.

# %%
exercises.predict("sqnr-of-8-bits")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# About 40 dB: the noise power is about a ten-thousandth of the signal power.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
w = samples.distribution("normal")
eight_bits = UniformQuantizer(QuantizationParams.from_tensor(w, QuantizationScheme.INT8))
noise = (w - eight_bits(w)).double().square().mean()
by_formula = 10 * torch.log10(w.double().square().mean() / noise)
print(f"SQNR in dB   by the formula {by_formula:.2f}   by sqnr_db {sqnr_db(w, eight_bits(w)):.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# You will often read “about 6 dB per bit”, which would be 48 dB for 8 bits. Here we have only 41 dB. [Information theory](01_information_theory.ipynb) accounts for the difference.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Notation
#
# The following letters mean the same in every chapter. A chapter that needs another letter for a while says so on the spot. The usual ones are these:
#
# | symbol | name | term | meaning |
# |:--|:--|:--|:--|
# | $x$ | x | original value | the real number before quantization |
# | $q$ | q | code | the integer that stands for $x$, between $q_{\min}$ and $q_{\max}$ |
# | $\hat x$ | x hat | reconstructed value | the real number that $q$ gives back |
# | $s$ | s | scale | how much the reconstructed value grows when the code grows by 1; it has the unit of $x$ |
# | $z$ | z | zero point | the code of the real number 0, an integer |
# | $b$ | b | bit width | how many bits a code takes |
# | $L$ | L | number of levels | integers of $b$ bits have $L = 2^b$ |
# | $\Delta$ | delta | step | the distance between two neighboring levels; the two chapters on information theory write $\Delta$, in the others $\Delta$ is $s$ |
# | $e$ | e | error | $e = x - \hat x$ |
# | $\sigma_q^2$ | sigma q squared | quantization noise power | the mean of $e^2$ |
# | SQNR | SQNR | signal-to-quantization-noise ratio | the ratio of signal power to noise power, in decibels (dB) |
# | $\operatorname{rint}$ | rint | round half to even | the nearest integer, the even one in a tie; another kind, written $\operatorname{round}_{\text{away}}$, takes ties away from zero |
# | $N$, $K$, $k$ | N, K, k | count, inner dimension, index | how many numbers there are; the length of the dimension that a matrix product sums over; a running index |
#
# “Mean” has two senses: for a random variable it is the expectation, written $\mathbb{E}[e^2]$; for numbers that we have, it is their average. With enough data the two are close.
#
# The remaining letters are explained again where they are used; this table is for looking up. Only $\beta$ has two meanings, because both are called bias.
#
# | symbol | meaning | chapter |
# |:--|:--|:--|
# | $\mathrm e$ | the base of the natural logarithm, 2.718…; upright, to tell it from the error $e$; in code `math.e` | [Information theory](01_information_theory.ipynb) |
# | $f(x)$, $p$, $\varphi$ | probability density, probability, characteristic function | [Information theory](01_information_theory.ipynb) |
# | $A$, $c$, $\Gamma$ | half the width of the range (up to the outer edges of the outermost cells), the clip (the outermost levels lie at $\pm c$), the loading factor $A/\sigma$ | [Information theory](01_information_theory.ipynb) |
# | $H$, $h$, $R$, $D$ | entropy, differential entropy, rate, distortion | [Rate–distortion](01b_rate_distortion.ipynb) ★ |
# | $w_{\mathrm e}$, $w_{\mathrm m}$, $E$, $T$ | how many bits the exponent and the mantissa of a float format have, and the two fields themselves | [Quantization schemes](02_schemes.ipynb) |
# | $\beta$ | bias: of the exponent in a float format; the vector that is added in a layer of a network | [Quantization schemes](02_schemes.ipynb), this chapter |
# | $g$, $\delta$, $D_{\mathrm{KL}}$ | the size of a group, the error of zero, the Kullback–Leibler divergence | [Quantization parameters](03_params.ipynb) |
# | $M$, $m$, $n$ | the multiplier of requantization, $M = s_1 s_2 / s_3$, and the two integers that represent $M$ | [Integers only](04b_integer.ipynb) |
# | $W$, $X$ | a matrix of weights, a matrix of inputs | this chapter, [Integers only](04b_integer.ipynb) |
# | $F_k$ | coefficient $k$ of the discrete Fourier transform (DFT) | [Visualization](05_visualization.ipynb) |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The landscape of quantization
#
# Papers and inference engines have dozens of quantization methods, each with a name of its own. They all answer the same five questions.

# %% [markdown] slideshow={"slide_type": "skip"}
# | question | choices | what it decides | where |
# |:--|:--|:--|:--|
# | When is it quantized? | **post-training quantization** (PTQ): a trained model is quantized, and a little data sets the parameters. **quantization-aware training** (QAT): fake quantization is part of the forward pass in training, and the weights adapt to its error | how much data and computing it takes; how much accuracy is left with very few bits | PTQ: [Quantization parameters](03_params.ipynb); QAT: [The uniform quantizer](04_quantizer.ipynb) |
# | What is quantized? | **weight-only**: the weights are dequantized to floats before the computation. **Weights and activations**: a layer's input is quantized, too, and integers are multiplied | weight-only saves storage and memory traffic; weights and activations save computation as well | [Information theory](01_information_theory.ipynb); [Integers only](04b_integer.ipynb) |
# | When is the range of activations set? | **static**: beforehand, on representative data, and never changed. **dynamic**: at run time, from the present input | static is fast, but may clip an input unlike those that it has seen; dynamic follows the input, at a cost each time | [Quantization parameters](03_params.ipynb) |
# | How many numbers share a scale? | **per-tensor**, **per-channel**, **per-group** | more scales mean less error, more bytes, and integer products that are harder to arrange | [Quantization parameters](03_params.ipynb) |
# | Where do the levels lie? | **integers**: evenly spaced. **floats** (FP8, FP4): denser toward 0. **a table** (such as NF4): placed to suit the distribution of the data | which distributions have a small error; whether hardware can compute with the codes directly | [Quantization schemes](02_schemes.ipynb) |

# %% [markdown] slideshow={"slide_type": "notes"}
# For integers there is one more, smaller question: **symmetric** or **asymmetric**? Symmetric has $z = 0$, which makes integer products simplest. Asymmetric must store $z$ as well, but can use every code. This question belongs to [Quantization parameters](03_params.ipynb) as well.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Think]** The 4-bit storage at the beginning of this chapter has one scale for every 128 weights, and the activations are not quantized. How does it answer each of the five questions?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Read the five questions aloud, and let one student answer each for the example at the beginning.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Post-training quantization, since somebody else trained the model; weight-only; activations are not quantized, so static and dynamic do not arise; per-group, with 128 in each group; integers of 4 bits. Papers abbreviate “weights of 4 bits, activations of 16 bits” as W4A16.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# **What this course does not do.** It teaches the mathematics of quantization, and how to check it by measuring. It does not teach how to use one inference engine or another, nor does it write low-bit kernels for GPUs, so real inference speeds are not compared. The special methods for large language models (GPTQ, AWQ, SmoothQuant and others) are left to [Summary](06_summary.ipynb), which gives their ideas and their sources. Vector quantization is only mentioned. Quantizing gradients and optimizer states, and other kinds of compression such as pruning, distillation and low-rank factors, are not part of the course.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## The map of the course, and how to study

# %% [markdown]
# ### What you need
#
# - You can use Python, and have seen tensors in torch.
# - First-year calculus: derivatives, integrals, geometric series.
# - Probability: expectation, variance, probability density, the normal distribution.
# - Linear algebra: you can multiply matrices.

# %% [markdown] slideshow={"slide_type": "notes"}
# You need not have studied information theory. What you need of deep learning is in “Just enough about networks” in this chapter; automatic differentiation is explained in [The uniform quantizer](04_quantizer.ipynb).
#
# Fourier series, characteristic functions, differential entropy and the like go beyond this. A section or a chapter that uses them has ★ at the end of its heading. What is marked ★ can be skipped, and one sentence there states the result.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Ten notebooks, eight classes
#
# | chapter | the question that it answers |
# |:--|:--|
# | 00 Start | How does a model fit that does not fit? What is in this course, and what is not? |
# | [01 Information theory](01_information_theory.ipynb) | What does quantization throw away, and what does that cost? Where do $\Delta^2/12$ and “6 dB per bit” come from, and when do they fail? |
# | [01b Rate–distortion](01b_rate_distortion.ipynb) ★ | Given a number of bits, how small can the error be? How far from that limit is a quantizer? |
# | [02 Quantization schemes](02_schemes.ipynb) | Which integers are there? How are 4-bit codes packed into bytes? Where do float formats put their levels? |
# | [03 Quantization parameters](03_params.ipynb) | How are scale and zero point chosen? How much harm can one outlier do? |
# | [04 The uniform quantizer](04_quantizer.ipynb) | Round, add the zero point, clamp: why in this order? Where does the gradient of a staircase come from? |
# | [04b Integers only](04b_integer.ipynb) | With integers alone, how is a layer computed? Why do implementations differ by 1? |
# | [05 Visualization](05_visualization.ipynb) | Looking at pictures of a tensor, can you say what is wrong with its quantization? |
# | [05b A real network](05b_network.ipynb) | Quantize a whole network: where does the accuracy go, and how is it won back? |
# | [06 Summary](06_summary.ipynb) | Can you still write down the formulas of the course? What should you read next? |

# %% [markdown] slideshow={"slide_type": "skip"}
# A class is a double period, 90 minutes in all:
#
# | class | what |
# |:--|:--|
# | 1 | 00, section 1 of 01 |
# | 2 | the other sections of 01 |
# | 3 | 02 |
# | 4 | 03 |
# | 5 | 04 |
# | 6 | 04b |
# | 7 | 05 |
# | 8 | 05b; 06 is an examination, and homework |
# | optional | 01b ★ |
#
# Class 8 may also leave out sections 7 to 9 of 05b, and keep the last 20 minutes to begin the examination of 06 in class.

# %% [markdown] slideshow={"slide_type": "skip"}
# Read the chapters in order if you can, because each uses the notation of those before. A word that you do not know is in the [Glossary](glossary.ipynb); the original papers are in the [References](references.ipynb).

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Predict, move, derive, check
#
# Most new results come in four steps.

# %% [markdown]
# 1. **Predict.** Write down your own answer, a number or a sentence, before you read on. A wrong guess does no harm; the more definite it is, the better you will remember.
# 2. **Move.** Drag the slider and see whether your prediction holds. Some sections have no slider; then run the code instead.
# 3. **Derive.** No step is long. Write each one on paper as you read.
# 4. **Check.** The cell after a derivation compares two columns: the left column is what the formula predicts (`predicted`), the right column what was measured (`measured`).

# %% [markdown] slideshow={"slide_type": "notes"}
# A label in brackets is a question for you: predict by intuition, compute on paper, think and give reasons, try with your hands. The answers are folded away under “Answer”. Write down yours first, then open it.

# %% [markdown] slideshow={"slide_type": "notes"}
# What does it mean that the two columns agree? It means that on these data, under these conditions, no difference between the formula and the measurement can be seen. It does not prove that the formula holds under other conditions, and it does not mean that you have learned it. You have learned it when you can compute the left column yourself, without the code. Sometimes the columns disagree. Usually an assumption of the formula has then been broken, and such places are most worth reading closely.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Just enough about networks
#
# The examples in this course come from real neural networks. To read them you only need what follows.

# %% [markdown]
# **Fully connected layer.** The input is a vector $x$ of length $K$, and the output is
#
# $$
# y = W x + \beta
# $$
#
# $W$ is the matrix of **weights**, $\beta$ the vector of the **bias**. Each row of $W$ computes one output, so a row is said to correspond to one **output channel**. The weight of `torch.nn.Linear` has the shape `(output, input)`, with the output channels in dimension 0.

# %% [markdown] slideshow={"slide_type": "notes"}
# An **activation function** follows a layer, and acts on each number separately. The most common is **ReLU**, $\max(0, x)$: negative numbers become 0, positive ones stay. The outputs of a layer are called **activations**. Weights are fixed once training ends. Activations change with the input, so their range must be estimated from data.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **Convolutional layer.** The input is a set of images, each called an input channel. The weight has the shape `(output channels, input channels, height, width)`. At each place in the image a patch is taken out and flattened to a vector, and its inner product with the weights of each output channel is computed. So a convolution is a matrix product, too: all weights of one output channel, flattened, are a row of $W$; a flattened patch is a column of $X$; the output is $W X$. At the border there is no full patch, so the image is usually surrounded by a few rings of 0. This is **padding**.

# %% [markdown] slideshow={"slide_type": "notes"}
# A **transposed convolution** makes images larger. The shape of its weight is `(input channels, output channels, height, width)`, with the output channels in dimension 1. In per-channel quantization it is a common mistake to get this dimension wrong.

# %% [markdown] slideshow={"slide_type": "notes"}
# **Classification.** The last layer of the network has as many outputs as there are classes. The largest output is the network's answer. Handwritten digits come in ten classes, so the last layer has ten outputs. The fraction of right answers is the **accuracy**.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** The weight of a convolutional layer has the shape `(32, 16, 3, 3)`. Written as a matrix $W$, how many rows and columns does it have?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# This asks for a shape; most who are wrong have forgotten the 3 × 3.

# %%
exercises.predict("convolution-columns")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 32 rows, one for each output channel; $16 \times 3 \times 3 = 144$ columns, the length of a flattened patch.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# Let us check it on a small example: 2 input channels, 3 output channels, an image of 4 rows and 4 columns, one ring of 0 around it. The left column flattens the patches and multiplies matrices, the right column is torch's convolution.

# %%
from torch.nn import functional

image = torch.arange(32.0).view(2, 4, 4)  # channels, rows, columns
weight = torch.arange(-27.0, 27.0).view(3, 2, 3, 3)  # output, input, rows, columns
padded = functional.pad(image, (1, 1, 1, 1))
places = [(i, j) for i in range(4) for j in range(4)]
patches = torch.stack([padded[:, i : i + 3, j : j + 3].flatten() for i, j in places], dim=1)
predicted = weight.flatten(1) @ patches
measured = functional.conv2d(image[None], weight, padding=1)[0].flatten(1)
print("W", tuple(weight.flatten(1).shape), "  X", tuple(patches.shape))
for channel in range(3):
    p, m = predicted[channel, 5], measured[channel, 5]
    print(f"channel {channel}, row 1, column 1:   predicted {p:6.0f}   measured {m:6.0f}")
print("largest difference:", (predicted - measured).abs().max().item())

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Three kinds of layer all have 16 input channels and 32 output channels. In the three shapes printed below, in which dimension is the 32?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Hands first, then the output. The transposed convolution has the dimension that is most easily got wrong in the whole course; chapter 3 comes back to it.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The fully connected and the convolutional layer have their output channels in dimension 0, the transposed convolution in dimension 1.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
layers = torch.nn.Linear(16, 32), torch.nn.Conv2d(16, 32, 3), torch.nn.ConvTranspose2d(16, 32, 3)
for layer in layers:
    print(f"{type(layer).__name__:16}", tuple(layer.weight.shape))

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# These exercises are for after class. Write your answer first, then run the next cell to check it. If it does not pass, you get the smallest counterexample and hints. An exercise that you have not begun is only reported as unfinished.

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (6 minutes, difficulty 1/3) Write `my_journey(x, s, z, qmin, qmax)`: `x` and `s` are floats, the zero point `z` and the ends of the codes `qmin` and `qmax` are integers; it returns the reconstructed value $\hat x$ of `x`, one number.

# %% slideshow={"slide_type": "skip"}
def my_journey(x, s, z, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("a-numbers-journey", my_journey)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_journey(x, s, z, qmin, qmax):
#     q = min(max(round(x / s) + z, qmin), qmax)
#     return s * (q - z)
# ```
#
# The order cannot change: round, add the zero point, clamp; dequantizing subtracts the same zero point.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (6 minutes, difficulty 2/3) A thermometer covers 35 ℃ to 42 ℃, and the error must not exceed 0.0625 ℃. At least how many bits does it need? Write the general `my_bits(lo, hi, error)`: the two outermost levels lie at `lo` and `hi`, the error is at most `error`, and it returns the smallest number of bits.

# %% slideshow={"slide_type": "skip"}
import math


def my_bits(lo, hi, error):
    return ...  # your code; math.ceil rounds up

# %% slideshow={"slide_type": "skip"}
exercises.check("bits-for-an-error", my_bits)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# import math
#
#
# def my_bits(lo, hi, error):
#     gaps = math.ceil((hi - lo) / (2 * error))
#     return gaps.bit_length()
# ```
#
# The error is at most half a step, so the step is at most `2 * error`. `gaps` gaps have `gaps + 1` levels, with codes from 0 to `gaps`, and `gaps.bit_length()` is how many bits the largest code needs.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (4 minutes, difficulty 1/3) Write `my_gigabytes(parameters, bits, group, scale_bits)`: each weight has `bits` bits, and every `group` weights share a scale of `scale_bits` bits; it returns how many GB that is in all ($10^9$ bytes).

# %% slideshow={"slide_type": "skip"}
def my_gigabytes(parameters, bits, group, scale_bits):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("model-gigabytes", my_gigabytes)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_gigabytes(parameters, bits, group, scale_bits):
#     bits_per_weight = bits + scale_bits / group
#     return parameters * bits_per_weight / 8 / 1e9
# ```
#
# A scale is shared by `group` weights; divide by 8 to go from bits to bytes.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (5 minutes, difficulty 1/3) Without `sqnr_db`, write `my_sqnr(x, x_hat)`: `x` and `x_hat` are float tensors of the same shape; it returns the SQNR in dB. For the logarithm you can use `torch.log10`.

# %% slideshow={"slide_type": "skip"}
def my_sqnr(x, x_hat):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("sqnr-by-hand", my_sqnr)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_sqnr(x, x_hat):
#     signal, noise = x.square().sum(), (x - x_hat).square().sum()
#     return 10 * torch.log10(signal / noise)
# ```
#
# In a ratio, sums do as well as means. Both are powers, so it is $10\log_{10}$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Discussion
#
# **[Think]** You store body temperatures in 3 bits, and examination marks likewise. How would you choose the two ranges? Why do the choices differ?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Discuss for 5 minutes; see discussion.md.

# %% [markdown] slideshow={"slide_type": "skip"}
# How far have you come in the whole course? The next cell shows it:

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# - Quantization chooses finitely many integers, and approximates the real numbers of a range by them. To quantize is $q = \operatorname{clamp}(\operatorname{rint}(x/s) + z,\, q_{\min},\, q_{\max})$, to dequantize is $\hat x = s\,(q - z)$.
# - $N$ codes of $b$ bits take $N b / 8$ bytes, and the scales are added to that. From 16 bits to 4 bits, 7 billion parameters shrink from 14 GB to about 3.6 GB.
# - Integers of $b$ bits have $2^b$ levels and $2^b - 1$ gaps; the step of asymmetric quantization is the width of the data's range divided by the number of gaps.
# - Where the levels reach, the magnitude of the error is at most half a step; beyond them the error grows with the distance, without bound.
# - Five questions describe a quantization method: when it is quantized, what is quantized, when the range is set, how many numbers share a scale, and where the levels lie.

# %% [markdown] slideshow={"slide_type": "skip"}
# Next: [Information theory](01_information_theory.ipynb).

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Appendix
#
# ### Check the environment
#
# Select the next cell and press Shift + Enter to run it. It reads `pyproject.toml` in the repository, and compares the versions that the course asks for with those on this computer, one by one.

# %% slideshow={"slide_type": "skip"}
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

project = tomllib.loads(Path("../../pyproject.toml").read_text("utf-8"))["project"]
for need in map(Requirement, project["dependencies"] + project["optional-dependencies"]["lab"]):
    try:
        found = version(need.name)
        ok = found in need.specifier
        print(f"{need.name:14}", "OK" if ok else f"DIFFERS  {found} is not {need.specifier}")
    except PackageNotFoundError:
        print(f"{need.name:14}", "MISSING")

# %% [markdown] slideshow={"slide_type": "skip"}
# If every line says `OK`, the environment is fine. Otherwise look here:
#
# | what you see | what it means | what to do |
# |:--|:--|:--|
# | a few lines `MISSING` | the installation was not finished | close JupyterLab, delete the folder `.venv` in the root of the repository, run `make lab` again |
# | nearly all `MISSING` | the notebook talks to another Python | open the course with `make lab`; menu Kernel → Change Kernel, choose Python 3 (ipykernel) |
# | `DIFFERS` | installed, in a version outside the range | as in the first row |
# | `No module named 'tomllib'` | Python is too old | install Python 3.11 or newer |
# | `No module named 'quantcore'` | as in the second row | as in the second row |
# | `No such file or directory` | the notebook was copied out of its place | open it in the whole repository |
#
# You can do without `make`, too: `pip install -c constraints.txt -e ".[lab]"` in a virtual environment of your own installs the same versions.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### When a slider does not move
#
# | what you see | why | what to do |
# |:--|:--|:--|
# | nothing below the code | the cell has not been run | select the cell and press Shift + Enter; to run all, menu Run → Run All Cells |
# | a figure, no slider, and a line that says that the figure comes alive when the cell is run | this is the picture that was saved last. A picture can be saved, controls cannot: they need the kernel to compute | menu Run → Run All Above Selected Cell runs the cells above; then run this one |
# | `NameError: name 'explore' is not defined` | the cell that imports `explore` has not been run; the same happens after the kernel is restarted | run the cells above first, then this one |
# | above the figure it says “The kernel was restarted, and this figure no longer moves” | figure and controls belong to the old kernel, which has stopped | run the cells above first, then this one |
# | the cell was run, and there is still only a picture | the page has no widgets installed | look at the line `ipywidgets` of the check above; install, restart JupyterLab, reload the page |
# | `Error displaying widget` | the notebook was not opened and saved with `make lab`, and has kept dead widgets | as in the row “a figure, no slider” |
# | only a picture, on a code host | that page has no kernel, and cannot compute | download the repository, run `make lab` |
# | the slider moves and the figure does not | the kernel is busy, or has stopped | look at the state of the kernel, top right; menu Kernel → Restart Kernel and Run All Cells |
# | a line below the figure says “error” | the computation failed, and the reason is given there | act on it; if that does not help, restart the kernel and run from the top |

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Your copy
#
# `make lab` opens the notebooks in `my/en/`. They are copies of those in `notebooks/en/`, with the outputs cleared, and they are yours alone. Predict first, then run; the answer appears only then.
#
# - **Change and save what you like.** git does not look at this folder. Whatever you change or save there harms neither the repository nor `make test`. `make lab` only adds copies that are missing, and never writes over one that you have changed.
# - **To start over.** Close the chapter in JupyterLab, open a terminal, and run `make reset CHAPTER=03_params` in the root of the repository. You get a fresh copy. The old one is still there, renamed `03_params-old.ipynb`.
# - **When the course is updated.** Run `make lab` again. Copies that you have not touched are replaced by the new chapter. Those that you have changed, or run and saved, stay as they are, and the new chapter is put beside them as `03_params-new.ipynb`; the terminal says which chapters.
# - **Opening it the next day.** Text, code, outputs and pictures are saved. A slider appears when you run its cell again.
# - **To see the chapters already run.** In the list of files on the left go back to the root, and open the notebook of the same name in `notebooks/en/`. Look at it there, and do not run it.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### My numbers differ
#
# The notebooks in `notebooks/en/` hold their outputs, computed on another machine. Compare your copy with them: some outputs should be equal, others will not be.
#
# | output | does it change | why |
# |:--|:--|:--|
# | numbers and tables in the notebooks | no, except in the next two rows | only a few significant digits are printed, and machines differ by much less |
# | times, speeds, and ratios of times | yes | they describe your machine |
# | cells that say that they depend on the machine | yes | a comment in the code says why |
# | the last digits of a float (where they are not printed) | yes | another order of summation rounds differently; some random functions depend on the processor's instruction set, even with the same seed |
# | single codes (where they are not printed one by one) | very rarely | when $x/s$ is almost exactly halfway between two integers, the last digit can move the code by 1 |
#
# Every cell that measures time or depends on the machine has a comment that says why its result changes. All other cells are run again by `make test`, and compared with the saved outputs character by character; of a figure the text that describes it is compared, not the pixels. `make test` runs the notebooks in `notebooks/en/`, and has nothing to do with your copy.
#
# Why does the last digit of a float change?
#
# **[Predict]** The cell below prints three lines. From top to bottom, is each `True` or `False`?

# %% slideshow={"slide_type": "skip"}
exercises.predict("three-lines")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# The first is `False`: addition of floats is not associative, and another order gives a slightly different result. The number of cores, the instruction set and a GPU can all change the order of summation.
#
# The second is `True`: the two sides differ by so little that three significant digits do not show it.
#
# The third is `True`: on one computer, the same seed gives the same numbers.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "skip"}
print((0.1 + 0.2) + 0.3 == 0.1 + (0.2 + 0.3))
print(f"{(0.1 + 0.2) + 0.3:.3g}" == f"{0.1 + (0.2 + 0.3):.3g}")
print(torch.equal(samples.distribution("normal", seed=0), samples.distribution("normal", seed=0)))

# %% [markdown] slideshow={"slide_type": "skip"}
# If a number changes that should not, go through this list:
#
# 1. Menu Kernel → Restart Kernel and Run All Cells. Cells that were run out of order are the most common reason.
# 2. Go back to the check of the environment, and look for `DIFFERS`.
# 3. Have you changed the code of this chapter? Run `make reset CHAPTER=03_params` (with the name of this chapter), run the fresh copy from the top, and compare again.
# 4. Run `make test`. If it passes, your computer and the course are fine, and the difference is in what you changed; if it fails, it says which cell differs.
# 5. If a fresh copy differs as well, or `make test` fails, the mistake is in the course. Please report it in the repository, with the output of that cell and of `pip list`.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Without a network
#
# Once it is installed, the course needs no network. The data are local: the photograph and the handwritten digits come with scikit-learn, the chord is synthesized, everything else is random numbers from a seed. The notebooks are in the repository, figures and sliders fetch nothing, and JupyterLab does not look for news or updates.
#
# The installation needs the network once, and its largest package is `torch`. If downloading is slow, use a mirror that is near you. Many universities and cloud providers have one, and their home pages say where:
#
# ```
# PIP_INDEX_URL=ADDRESS_OF_THE_MIRROR make lab
# ```
#
# If the classroom has no network, take a computer that has one, with the same system and the same version of Python, and download the packages to a folder in the root of the repository:
#
# ```
# python3 -m pip download -d wheels -c constraints.txt "setuptools>=77" ".[lab]"
# ```
#
# These packages take a few hundred MB; with a `torch` built for CUDA, several GB. Copy the whole repository, with the folder `wheels`, to the computers of the classroom, and let pip use that folder alone:
#
# ```
# PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels make lab
# ```
#
# The first of these two commands downloads exactly what the second installs, and `make test` carries out both. On Windows, write `python` for `python3` in the first.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### What the labels in the figures mean
#
# | label | meaning | label | meaning |
# |:--|:--|:--|:--|
# | distribution | how often each value occurs | density | probability density |
# | value | a value | levels | the levels of the quantizer |
# | original | before quantization | quantized | after quantization |
# | error | original minus quantized | noise power | the mean squared error |
# | staircase | the quantized value over the original | gradient | what training passes back |
# | real, integer | real numbers, integers | range of the data | from the smallest to the largest value |
# | step | distance between two levels; in a plot of training, the number of steps | clip | where the range ends |
# | granular, overload | noise from rounding, from clipping | bit width | bits of a code |
# | weights | the numbers of a layer | row, column | of a matrix |
# | scale | one step, in the unit of the data | zero point | the code of the real 0 |
# | per tensor, per channel, per group | how many numbers share a scale | range | what the levels cover |
# | predicted | by the formula | measured | from the data |
# | waveform, amplitude | sound over time, its height | spectrum, frequency | power over frequency |
# | bits per value | storage for one value | rate, distortion | bits per value, mean squared error |
# | codes | the integers | loss | what training makes small |
# | forward, backward | the pass through a network, and back | clamp | pressed onto the ends |
# | clipped | the fraction that is clipped | used | how many codes occur |
# | optimal, even | best levels, evenly spaced levels | limit | no quantizer can do better |
