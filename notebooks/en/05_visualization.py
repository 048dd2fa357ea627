# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # Visualization: seeing from pictures what is wrong with a quantization
#
# A colleague sends you a quantized tensor whose SQNR is only 9 dB, and asks what is wrong. A single overall number says how good a quantization is, but not **why**. Pictures can tell you, if you know where to look. This chapter is practice in reading pictures: what a healthy quantization looks like, and by which signs each fault can be recognized. Where do these signs come from? We derive two of them, the histogram of the error and its spectrum.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask first: all that you know is 9 dB, so what do you look at next? Let students list the pictures that they want.

# %% [markdown]
# **After this chapter you can:**
#
# - read three panels: distribution, error, original against quantized;
# - tell from the histogram and the spectrum of the error whether it still looks like “noise”;
# - plot the **SQNR** of each layer of a network, and predict it from the ratio of the peak to the root mean square;
# - diagnose a tensor by its pictures: healthy, or too much clipping, a wasted range, an inexact 0, an outlier, codes that wrap around, or two faults at once;
# - say how pictures deceive.

# %% [markdown] slideshow={"slide_type": "skip"}
# | section | time |
# |:--|:--|
# | 1 Three panels | 15 minutes |
# | 2 Distribution, granularity, calibration | 29 minutes |
# | 3 Staircase and spectrum | 13 minutes |
# | 4 A trained network | 10 minutes |
# | 5 Diagnosis | 17 minutes |
# | 6 Pictures deceive | 5 minutes |
# | Exercises | 23 minutes |
# | Summary | 1 minute |
# | ★ optional | 10 minutes |

# %% slideshow={"slide_type": "skip"}
import math

import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import exercises, explore, noise_power, samples, sqnr_db, visualize_quantization
from quantcore.exercises import clinic
from quantcore.information import error_report
from quantcore.quantizer import fit
from quantcore.sheet import BLUE, GRAY, GREEN, RED, Sheet
from quantcore.visualization import density, draw_matrix, draw_quantization

INT4, UINT4 = QuantizationScheme.INT4, QuantizationScheme.UINT4
device = "cuda" if torch.cuda.is_available() else "cpu"

# %% slideshow={"slide_type": "skip"}
explore.set_language("en")

# %% [markdown] slideshow={"slide_type": "skip"}
# `fit(x, bits, symmetric)` is a helper: it finds parameters from `x`, and makes a signed quantizer of that bit width.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 Three panels
#
# First a healthy example: ten thousand Gaussian numbers, INT4, symmetric.
#
# **[Predict]** Will the panel on the right show a straight line, a staircase, or a cloud?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students sketch the third panel on paper before you go on.

# %%
exercises.predict("third-panel")

# %% tags=["predict"] slideshow={"slide_type": "subslide"}
x = samples.distribution("normal").to(device)
visualize_quantization(x, INT4, symmetric=True)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **distribution.** In blue, the histogram of $x$. The red lines are the reconstructed values $\hat x$, one for each code, as high as the probability of the code divided by the step $s$, so that they can be compared with the density directly. When all is well the tips of the red lines follow the blue outline, and some data fall on the codes at the ends.
#
# **error.** The horizontal axis is $e/s$ with $e = x - \hat x$. When all is well the error fills the box $\pm\tfrac12$, and outside the box there is nothing. Something outside means [**clipping**](glossary.ipynb#Quantizers-and-integer-arithmetic). If the histogram is not flat inside the box, there are three possible reasons: the step is too large; many numbers lie exactly on the grid, all with error 0; many equal numbers lie off the grid, all with the same error. The reverse does not hold: a flat box does not mean that the step is right, for with a larger step it may be flat as well.
#
# **original against quantized.** $x$ is horizontal, $\hat x$ vertical. When all is well it is a staircase along the dashed line. Flat ends are clipping.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# One sentence for each panel. Point out that the axis of the error is in steps.

# %% [markdown] slideshow={"slide_type": "skip"}
# Now try it.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Try]** Drag from 8 bits to 2. Which of the three panels changes first, which last? And at 2 bits without “symmetric”? Write down your prediction before you drag.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Stop at 3 bits: which panel looks unhealthy first?

# %%
explore.quantization(x, bits=8, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# - **Left and right change first.** At 8 bits the red lines run together, at 6 bits they have come apart; on the right the stairs can be seen at 6 bits, too. (The red lines of 8 bits are uneven, which is no fault of the quantization: each code has no more than about 140 numbers, and the heights fluctuate by the chance of sampling.)
# - **The error changes last.** From 8 bits to 3 the box stays flat. At 2 bits it rises in the middle and falls at the sides.
# - **At 2 bits without “symmetric”** the box is nearly flat again. Symmetric, 2 bits use only three codes, $-1, 0, 1$, and the step is the maximum; without it the step shrinks by over a third.
#
# The horizontal axis of the error is divided by $s$, so this panel does not say how large the error is. It says one thing: whether the error still looks like uniform noise, and so whether $s^2/12$ can still be used. How large the error is can be read from the MSE below the figure.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Where the box comes from
#
# Write $u = e/s$. Without clipping $u$ lies within $\pm\tfrac12$, and $x = s\,(k + u)$ with an integer $k$.
#
# Write $f$ for the density of $x$, $f_u$ for that of $u$. Every $k$ can give the same $u$, so their probabilities add. When $u$ changes by $\mathrm{d}u$, $x$ changes by $s\,\mathrm{d}u$, so each term is multiplied by $s$:
#
# $$
# f_u(u) = \sum_k s\, f\big(s\,(k + u)\big)
# $$

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Explain the Riemann sum with a sketch: one point every s.

# %% [markdown]
# The right side is a Riemann sum: a point every $s$, of height $f$ and width $s$. When the step is small, the sum is close to the integral:
#
# $$
# f_u(u) \approx \int f(x)\, \mathrm{d}x = 1
# $$
#
# [[V1](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# This is the box: a density that does not depend on $u$, of area 1 and variance $\tfrac1{12}$, which is $\sigma_q^2 = s^2/12$ ([Bennett, 1948](references.ipynb); [Widrow & Kollár, 2008](references.ipynb)).

# %% [markdown] slideshow={"slide_type": "skip"}
# At 2 bits the box rises in the middle. Can $f_u(0)$ and $f_u(\tfrac12)$ be computed from the first formula? Is the variance of the error larger than $s^2/12$, or smaller? The next cell computes all three, and measures them.

# %% slideshow={"slide_type": "skip"}
many, k = samples.distribution("normal", 10**6).to(device), torch.arange(-300, 301)
many, normal = many[many.abs() <= x.abs().max()], torch.distributions.Normal(0, 1)
print("bits  f_u(0): predicted  measured f_u(1/2): predicted  measured   12 var(e) / s²")
for bits in (8, 6, 4, 3, 2):
    quantizer = fit(x, bits, symmetric=True)
    s = quantizer.params.scale.item()
    u = (many - quantizer(many)) / s
    predicted = [(s * normal.log_prob(s * (k + at)).exp()).sum() for at in (0, 0.5)]
    measured = [(u.abs() < 0.05).float().mean() / 0.1, (u.abs() > 0.45).float().mean() / 0.1]
    print(f"{bits} {predicted[0]:19.2f} {measured[0]:9.2f}", end="")
    print(f" {predicted[1]:20.2f} {measured[1]:9.2f} {12 * u.square().mean():16.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# At 3 bits and more both are 1, and even at 2 bits the prediction is right. At 2 bits the variance is only two thirds of $s^2/12$: most numbers lie in the middle of the cell of 0, close to its reconstructed value.
#
# A small variance in units of $s^2/12$ does not mean a small error. At 2 bits $s$ is much larger, and so is the MSE.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 Distribution, granularity, calibration
#
# The same kind of grid, on different data.
#
# **[Try]** Write down your predictions, then switch through the five kinds of data:
#
# 1. Gaussian, Laplace, uniform, the output of a ReLU, and data with **outliers**: at 4 bits, which has the highest SQNR, which the lowest?
# 2. Untick “symmetric”. Which gains most?
# 3. For ReLU, the error has a very high column in the middle. Why?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Before each kind of data predict whether the SQNR rises or falls.

# %% slideshow={"slide_type": "subslide"}
explore.shapes(bits=4, symmetric=True)

# %% [markdown] slideshow={"slide_type": "subslide"}
# If the error fills the box, the noise is $s^2/12$. When the step goes from $s_1$ down to $s_2$, the SQNR gains
#
# $$
# 20 \log_{10} \frac{s_1}{s_2} \text{ dB}
# $$
#
# We predict the gain of unticking “symmetric” by this formula.
#
# **[Predict]** For which of the five kinds of data does the formula fail?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# For which kind does it fail? Hands first, then reasons.

# %%
exercises.predict("gain-formula")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("              SQNR, dB                  gain, dB")
print("shape       symmetric   asymmetric   predicted   measured")
for shape in samples.SHAPES:
    data = samples.distribution(shape).to(device)
    one, two = fit(data, 4, symmetric=True), fit(data, 4, symmetric=False)
    predicted = 20 * torch.log10(one.params.scale / two.params.scale)
    before, after = sqnr_db(data, one(data)), sqnr_db(data, two(data))
    print(f"{shape:10} {before:10.1f} {after:12.1f} {predicted:11.1f} {after - before:10.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 1. Uniform has the highest SQNR: of the five, its ratio of maximum to root mean square is smallest, so for the same step its signal has the most power (derived in section 4). The data with outliers have the lowest: of the red lines on the left only that of 0 can be seen.
# 2. The output of the ReLU gains most. It has no negative numbers, and symmetric leaves all negative codes empty; without it the step goes from $\max x/7$ to $\max x/15$.
# 3. Half of the numbers are exactly 0, and 0 is exact, so their error is exactly 0. This column is a good thing.
#
# The formula fails for outliers. Nearly all numbers become 0, the error is $x$ itself, and $s$ has nothing to do with it. Look at the error: it has the shape of a bell, not of a box.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now trained weights: the last layer of the network for handwritten digits (the terms for networks are explained in [Start](00_start.ipynb#Just-enough-about-networks)), with four controls at once.
#
# **[Try]** Begin with 4 bits, symmetric, per tensor, `minmax`. Predict, then try:
#
# 1. Change just one control. Which gains most: asymmetric, per channel, per group, or `mse`?
# 2. Asymmetric helps, and `mse` helps. Do their gains add up when you change both?
# 3. Per group (16 in each) stores more scales. Can 5 bits per tensor, without groups, reach its SQNR? Which takes more bits?

# %% slideshow={"slide_type": "subslide"}
w = samples.digits_network()[5].weight
explore.workbench(w, bits=4, symmetric=True)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let a group be the doctors: they change one switch at a time, and say before each change how many decibels they expect.

# %% tags=["predict"] slideshow={"slide_type": "skip"}
first = sqnr_db(w, fit(w, 4, symmetric=True)(w))
print("                  bits/weight    SQNR, dB    gain, dB")
for name, bits, options in (
    ("as it is", 4, {}), ("asymmetric", 4, {"symmetric": False}), ("per channel", 4, {"axis": 0}),
    ("per group", 4, {"group_size": 16}), ("mse", 4, {"method": "mse"}),
    ("asymmetric, mse", 4, {"symmetric": False, "method": "mse"}), ("5 bits", 5, {}),
    ("5 bits, mse", 5, {"method": "mse"}),
):
    quantizer = fit(w, bits, **{"symmetric": True} | options)
    db, size = sqnr_db(w, quantizer(w)), bits + 32 * quantizer.params.scale.numel() / w.numel()
    print(f"{name:17} {size:11.2f} {db:11.1f} {db - first:+11.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 1. Per group gains most: 16 numbers share an $s$, and their maximum is much smaller than that of the whole tensor. It is not free, though; look at the column `bits/weight`: each weight takes 2 bits more. ([Quantization parameters](03_params.ipynb) computed this price, $b + 32/g$, and has scales of 16 bits as well.) `mse` costs no extra bits.
# 2. No. Both reduce $s$, and `mse` has already brought it to where it fits best, so asymmetric has nothing left to reduce.
# 3. Yes, and it takes less. 5 bits per tensor take only 5.01 bits for each weight, and the SQNR already exceeds that of per group, which takes 6; with `mse` it is higher still. The weights of this layer have no outliers, so groups cannot show their strength.
#
# With per channel or per group, each channel or group has its own $s$ and its own reconstructed values. The red lines on the left are then a fine histogram of $\hat x$, a little smoothed: good for an overview, but no longer to be compared with the blue outline line by line.
#
# Per group there is one more column in the middle of the error: in each group of 16, the number of largest magnitude lies exactly on the code $\pm 7$, with the error 0.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Heat maps
#
# Weights are a matrix, so we draw a matrix, a **heat map**. On the left are the weights, in the middle the error, on the right the SQNR of each row; a row is an output channel. White is 0, and the darker the color, the larger the magnitude.
#
# **[Try]** Go from per tensor to per channel (4 bits, symmetric). The SQNR of which row does not change at all? Does every row improve?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Watch the palest row first, then switch to per channel.

# %% slideshow={"slide_type": "subslide"}
explore.granularity(w[:, :64].contiguous(), bits=4, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Row 4 does not change: it has the weight of largest magnitude in the whole matrix, so its $s$ is the $s$ of the tensor. Rows 8 and 9 have small weights and gain most.
#
# Some are slightly worse, row 0 for instance. A row has only 64 numbers. With another step each number is rounded anew, and errors come out larger or smaller. The step shrinks by only a tenth, which is too little to outweigh this chance effect.
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# Per tensor, the error is equally dark everywhere. Its size depends on $s$, and there is only one $s$: in a row of small weights the error is no smaller.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** Reduce row 3 to a tenth, and leave the others alone. Its signal power is then only 1/100. If the error stays as large, how many dB does the SQNR of this row lose, per tensor at 4 bits? (Read what it is now from the right panel above.) What will the row look like in the left panel, and in the middle?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Work out the SQNR of this row first. Most expect the whole to be clearly worse.

# %%
exercises.predict("quiet-row")

# %% tags=["fold", "predict"] slideshow={"slide_type": "subslide"}
part = w[:, :64]
sick = part.clone()
sick[3] /= 10
sheet = Sheet(3, height=3.4)
draw_matrix(sheet, sick, fit(sick, 4, symmetric=True), 4)
sheet.show("small-row", db=f"{sqnr_db(sick, fit(sick, 4)(sick)):.1f}")

# %% slideshow={"slide_type": "skip"}
def row_3(shrink, **options):
    t = part.clone()
    t[3] /= shrink
    t_hat = fit(t, 4, **options)(t)
    return sqnr_db(t[3], t_hat[3]), sqnr_db(t, t_hat), (t_hat[3] != 0).sum().item()


print("dB      row 3, per tensor: predicted  measured  not 0 of 64   per channel   whole matrix")
for shrink in (1, 2, 5, 10, 20):
    predicted = row_3(1)[0] - 20 * math.log10(shrink)
    measured, whole, left = row_3(shrink)
    print(f"row 3 / {shrink:2} {predicted:24.1f} {measured:9.1f} {left:12}", end="")
    print(f" {row_3(shrink, axis=0)[0]:13.1f} {whole:14.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# On the left row 3 is nearly all white, and in the middle you cannot pick it out: its error is as dark as that of the others. **If a row is white among the weights and colored in the error, its information has drowned in noise.**
#
# “The error stays as large” holds on one condition: most weights of the row must exceed $s/2$, or else the rounding error depends on the size of the signal. Reduced to a fifth, half of the weights already become 0, and the prediction begins to fail; at a tenth only 4 of the 64 are not 0, and that the prediction is close is chance; at a twentieth the whole row is 0, the error is the signal itself, and the SQNR stops at 0 dB and falls no further.
#
# The SQNR of the whole has hardly changed, and row 3 is ruined. One number for everything hides a local disaster, so look row by row. Per channel rescues the row: each row is divided by its own $s$, $w$ and $s$ shrink together, and the codes do not change.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 Staircase and spectrum
#
# Now without data, only the quantizer itself: how $\hat x$ depends on $x$, and how the error does.
#
# **[Try]** Asymmetric, 2 bits, range $[-1, 2]$. On which stair is 0? At the edge of that stair, or in the middle? Does the answer change when you drag the bit width, or tick “symmetric”?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Before anything is dragged, ask: how many teeth will the error have, and how high will they be?

# %%
explore.staircase(bits=2, symmetric=False)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The open circle on the left is 0. It is always in the middle of a stair, whatever you drag. An integer grid with a zero point is always **mid-tread**.
#
# The green teeth on the right are the error divided by $s$. Each tooth goes from $-\tfrac12$ up to $\tfrac12$; outside the range the line keeps rising on the right and falling on the left until it leaves the picture.
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# The teeth are a function of $x$. So the error is not random: the signal determines it completely. Take a sine, $x = \sin\theta$. Then the error is a function of the phase $\theta$, and repeats when $\theta$ has gone round once. A function that repeats every $2\pi$ is a sum of $\sin\theta, \sin 2\theta, \sin 3\theta, \dots$ (and of cosines, and a constant), so the error contains only integer multiples of the frequency of the signal, its **harmonics**. The **spectrum** of a signal shows, as a line, how strong the signal is at each frequency.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Try]** A full-scale sine at 4 bits, symmetric. Predict, then try:
#
# 1. Is the spectrum of the error flat, or does it have spikes? And with **dither**?
# 2. Does dither improve the SQNR?
# 3. With dither on, untick “symmetric”. Do the spikes come back?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask whether the spectrum of the noise is flat or has peaks, then switch dither on.

# %%
explore.spectrum(bits=4)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 1. It has spikes, all of them harmonics. High harmonics exceed half of the sampling rate; once sampled, they cannot be told from lower frequencies and are drawn there, which is called **aliasing**. This is why there are lines over the whole band. With dither the spikes sink into a flat noise.
# 2. No, the SQNR is even slightly lower. Dither changes the shape of the error, not its size.
# 3. Some do. Dither needs a signal that is not clipped. Asymmetric, the highest level is half a step below 1, and the peak of the signal plus dither goes beyond the range.
#
# If the power stays the same, what is dither for? Eyes and ears easily notice an error with a pattern, and hardly notice a flat noise.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ### The mean height of the spectrum is the noise power ★
#
# This part uses the discrete Fourier transform and can be skipped. It has one result: the mean height of the spectrum equals the noise power. So flattening the spikes does not reduce the power; and when the error is white noise, the expectation of each line is this height.
#
# The discrete Fourier transform of the errors $e_0, \dots, e_{N-1}$ is ($\mathrm{i}$ is the imaginary unit)
#
# $$
# F_k = \sum_{j=0}^{N-1} e_j \exp\!\left(-\frac{2\pi \mathrm{i}\,k j}{N}\right)
# $$
#
# Add up all $\lvert F_k\rvert^2$:
#
# $$
# \sum_k \lvert F_k\rvert^2 = \sum_j \sum_l e_j e_l \sum_k \exp\!\left(-\frac{2\pi \mathrm{i}\,k (j-l)}{N}\right) = N \sum_j e_j^2
# $$
#
# The innermost sum is $N$ times 1 for $j = l$; for $j \ne l$ its terms are points evenly spaced on the unit circle, which cancel to 0. Divide both sides by $N^2$:
#
# $$
# \frac1N \sum_k \frac{\lvert F_k\rvert^2}{N} = \frac1N \sum_j e_j^2 = \sigma_q^2
# $$
#
# This is Parseval's theorem; it holds for any error. **The mean height of the spectrum is the noise power**; its shape only says how the power is divided among the frequencies.
#
# When is it flat? If the $e_j$ are independent, with mean 0 and variance $\sigma_q^2$, only the terms with $j = l$ are left of the double sum above:
#
# $$
# \mathbb{E}\,\frac{\lvert F_k\rvert^2}{N} = \frac1N \sum_j \sum_l \mathbb{E}[e_j e_l] \exp\!\left(-\frac{2\pi \mathrm{i}\,k (j-l)}{N}\right) = \sigma_q^2
# $$
#
# [[V2](06_summary.ipynb#All-formulas)]
#
# Each line has the expectation $\sigma_q^2$. This is **white noise**. [Information theory](01_information_theory.ipynb) proved that with subtractive dither and no clipping the error is uniform and independent of the signal, with $\sigma_q^2 = s^2/12$. The dither of each sample is independent of the others, and so are the $e_j$. So on average the spectrum is flat, with a height of exactly $s^2/12$.
#
# A single line still fluctuates. The real and imaginary parts of $F_k$ are sums of many independent terms, approximately Gaussian. The sum of their squares is approximately exponential, and exceeds $t$ times its mean with probability $\exp(-t)$. Of $N/2$ lines about $\tfrac N2 \exp(-t)$ are that high. At $t = \ln\tfrac N2$ only one is left, so the highest line is about $\ln\tfrac N2$ times the mean.
#
# We check four quantities: the power of the error, the mean height of the lines, the ratio of the highest line to the mean, and the share of the harmonics. Take 8192 samples of a sine with exactly 32 periods, so that the harmonics are at multiples of 32. White noise, which has no harmonics, has only $1/32$ of its power there:

# %% slideshow={"slide_type": "skip"}
N = 8192
sine = torch.sin(2 * torch.pi * 32 / N * torch.arange(N, dtype=torch.float64))
u = torch.rand(N, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
print("                          power   mean line   highest / mean   on harmonics")
print(f"white noise, predicted {1:8.2f} {1:11.2f} {math.log(N / 2):16.0f} {1 / 32:14.2f}")
for name, symmetric, d in (("plain", True, 0), ("dither", True, u), ("dither, clips", False, u)):
    quantizer = fit(sine, 4, symmetric)
    s = quantizer.params.scale
    e = (sine + s * d) - quantizer(sine + s * d)
    lines = torch.fft.fft(e).abs().square() / N
    power, mean = (v / noise_power(s) for v in (e.square().mean(), lines.mean()))
    high, share = lines[1 : N // 2 + 1].max() / lines.mean(), lines[::32].sum() / lines.sum()
    print(f"{name:22} {power:8.2f} {mean:11.2f} {high:16.0f} {share:14.2f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# The first two columns are in units of $s^2/12$, and in each row they are equal: this is Parseval's theorem, which all three errors obey.
#
# Without dither all power is in the harmonics, and the highest line is hundreds of times the mean. With dither all four numbers agree with the prediction for white noise, and the power is no smaller. In the last row there is clipping, the condition of dither fails, and some harmonics remain.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 A trained network
#
# Three layers of weights, from 2 bits to 8, each with its SQNR. The dashed line has the slope 6.02 dB per bit.
#
# **[Predict]** Are the three lines parallel to the dashed one? Which layer is highest?

# %% tags=["fold", "predict"] slideshow={"slide_type": "subslide"}
network, names = samples.digits_network(), {0: "0 Conv2d", 2: "2 Conv2d", 5: "5 Linear"}
sheet, table, bits = Sheet(1, height=3.4), {}, range(2, 9)
for i, style in {0: (BLUE, "o", 5), 2: (GREEN, "s", 9), 5: (RED, "o", 5)}.items():
    weight, (color, marker, size) = network[i].weight, style
    table[i] = [round(sqnr_db(weight, fit(weight, b, symmetric=True)(weight)), 1) for b in bits]
    sheet.line(0, names[i], bits, table[i], color=color, marker=marker, markersize=size)
sheet.line(0, "6.02 b", bits, [6.02 * b for b in bits], color=GRAY, linestyle="--")
sheet.frame(0, "SQNR of each layer's weights, per tensor, minmax", "bit width b", "dB")
sheet.legend(0, loc="upper left")
sheet.show("layer-sqnr", **{f"layer{i}": ", ".join(map(str, table[i])) for i in table})

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Why are the three lines parallel? Let students recall the 6 dB per bit.

# %% [markdown] slideshow={"slide_type": "notes"}
# Layer 0 is highest; the other two nearly coincide. At many bits the lines are parallel to the dashed one; at few bits they are steeper.

# %% [markdown] slideshow={"slide_type": "subslide"}
# One formula explains both. Symmetric quantization has $s = \max\lvert w\rvert / (2^{b-1} - 1)$, the noise $s^2/12$ and the signal $w_{\mathrm{rms}}^2$ (rms is the root mean square), so
#
# $$
# \mathrm{SQNR} = 10 \log_{10} \frac{w_{\mathrm{rms}}^2}{s^2/12} = 10 \log_{10} \big(12\,(2^{b-1} - 1)^2\big) - 20 \log_{10} \frac{\max\lvert w\rvert}{w_{\mathrm{rms}}} \text{ dB}
# $$
#
# [[V3](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# The first term depends only on the bit width and is the same for all layers, so the lines are parallel. The second depends only on the data; it is the **ratio of the peak to the root mean square**. The more the largest weight stands out from the usual ones, the lower the line.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Is this formula still right at 2 bits? Do the lines get steep at few bits because $s^2/12$ fails, or because of $2^{b-1} - 1$? If the formula is still right, how many dB does the SQNR lose from 3 bits to 2?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask down to how many bits the formula can be trusted.

# %%
exercises.predict("last-bit")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("SQNR, dB               2 bits                3 bits                8 bits")
print("          peak/rms" + "   predicted  measured" * 3)
for i, name in names.items():
    weight = network[i].weight
    ratio = weight.abs().max() / weight.square().mean().sqrt()
    print(f"{name:10} {ratio:7.2f}", end="")
    for b in (2, 3, 8):
        predicted = 10 * torch.log10(12 * (2 ** (b - 1) - 1) ** 2 / ratio**2)
        measured = sqnr_db(weight, fit(weight, b, symmetric=True)(weight))
        print(f" {predicted:11.1f} {measured:9.1f}", end="")
    print()

# %% [markdown] slideshow={"slide_type": "notes"}
# At 3 and 8 bits the prediction is within 0.5 dB. Even at 2 bits it is off by only about 1 dB, so $s^2/12$ has not gone far wrong. The lines get steep because of $2^{b-1} - 1$: from 3 bits to 2 this goes from 3 to 1, which takes 9.5 dB at once. 2 bits have four codes in all, and symmetric quantization leaves one of them empty.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** At 3 bits, the weights of the last two layers have nearly the same SQNR. If only one of these layers is quantized, is the SQNR of the network's output nearly the same, too?

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
images = samples.digits()[2]
y = network(images)
for i, name in names.items():
    weight = network[i].weight
    weight_hat = fit(weight, 3, symmetric=True)(weight)
    y_hat = torch.func.functional_call(network, {f"{i}.weight": weight_hat}, images)
    print(f"{name}   SQNR of weights {sqnr_db(weight, weight_hat):5.1f} dB", end="   ")
    print(f"of outputs {sqnr_db(y, y_hat):3.0f} dB")

# %% [markdown] slideshow={"slide_type": "notes"}
# No, they differ by 9 dB. The SQNR of weights knows nothing of the layer's input, nor of the layers after it. To know which layer suffers most from quantization, the network must be run.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 Diagnosis
#
# The eight cases A to H below are in random order, all at 4 bits. You see the first four here; the other four are for the exercises. There are seven possible diagnoses: **healthy**, **too much clipping**, **a wasted range**, **an inexact 0**, **an outlier**, **an outlier and an inexact 0** (two faults at once), **codes that wrap around** (clipping was forgotten, and codes that do not fit come out at the other end). A diagnosis may occur twice, so elimination does not help.
#
# For each case look at the three panels first, then answer.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# The clinic opens: groups, one case each, 2 minutes for a diagnosis and its evidence, then to the board.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
cases = clinic.cases()


def case(name):
    one, sheet = cases[name], Sheet(3)
    draw_quantization(sheet, one.x, one.quantizer)
    return sheet.show("case", name=name, db=f"{sqnr_db(one.x, one.quantizer(one.x)):.2f}")

# %% slideshow={"slide_type": "subslide"}
case("A")

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let them name the most unusual panel before the diagnosis.

# %% [markdown]
# **[Predict]** What is the diagnosis for A?

# %%
exercises.predict("diagnosis/A")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# **Too much clipping.** On the right the ends are flat. In the error panel there is something outside the box, and a column is piled up at either edge of the panel (everything beyond $\pm 1.5$ is counted there). The outermost red lines on the left shoot up. The stairs in the middle are small, but over a fifth of the numbers lie beyond the range.
#
# When clipping was forgotten and codes wrap around, there are columns at the edges of the error as well (see [The uniform quantizer](04_quantizer.ipynb)). How do you tell them apart? Look at the right: clipped, the ends are flat; wrapped, they jump to the other side.
#
# </details>

# %% slideshow={"slide_type": "subslide"}
case("B")

# %% [markdown]
# **[Predict]** What is the diagnosis for B?

# %%
exercises.predict("diagnosis/B")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# **An outlier.** The horizontal axis is stretched: the data crowd on its left, and in the right panel there is a single point in the upper right corner. Of 16 codes only a few are used, and the errors pile up in the middle, because nearly all numbers have become 0. `minmax` has chosen the range for one number.
#
# </details>

# %% slideshow={"slide_type": "subslide"}
case("C")

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# The SQNR of C is higher than that of the healthy example in section 1, so some will say that nothing is wrong with it. Ask what the evidence is.

# %% [markdown]
# **[Predict]** What is the diagnosis for C?

# %%
exercises.predict("diagnosis/C")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# **Healthy.** There is a column in the middle of the error, and it is no fault: half of the output of a ReLU is exactly 0, 0 is exact, and so the error is exactly 0. Outside the box there is nothing, the stairs on the right begin at the origin, and all 16 codes are used.
#
# </details>

# %% slideshow={"slide_type": "subslide"}
case("D")

# %% [markdown]
# **[Predict]** What is the diagnosis for D?

# %%
exercises.predict("diagnosis/D")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# **An inexact 0.** The column of the error is at $-\tfrac12$, not in the middle: every 0 has become $s/2$. Compare it with C: the data are the same, and only the place of the column differs. The highest red line on the left is not at 0. The stairs on the right do not pass through the origin; the lowest is half a step up.
#
# Here the zero point is $-\tfrac12$ and was not rounded. The mean of the error is not 0 either, and in sums it adds up.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# After looking, check by numbers. There are four:

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Which wrong diagnosis does each of the four numbers prevent? Let students match them.

# %% [markdown]
# | fault | number | when all is well, at 4 bits |
# |:--|:--|:--|
# | too much clipping, codes that wrap around | the fraction of codes beyond the range | less than 1% |
# | a wasted range | the fraction of codes that are used | at least half |
# | an outlier | the ratio of the peak to the root mean square | at most six |
# | an inexact 0 | $Q(0)/s$, where $Q$ quantizes and dequantizes | exactly 0 |

# %% [markdown] slideshow={"slide_type": "notes"}
# Where does the limit in the third row come from? In the formula of section 4 the first term is 27.7 dB for $b = 4$. With a ratio of 6 the SQNR is still about 12 dB, with a ratio of 10 only 7.7 dB, worse than A. These limits come from experience and are not laws; take them as a signal that it is time to look at the pictures.

# %% slideshow={"slide_type": "fragment"}
def report_on(name, x, quantizer):
    report, p = error_report(x, quantizer), quantizer.params
    used = len(quantizer(x).unique()) / (p.qmax - p.qmin + 1)
    peak = x.abs().max() / x.square().mean().sqrt()
    zero = quantizer(torch.zeros(1)).item() / p.scale
    print(f"{name:5} {report.clipped:9.1%} {used:11.0%} {peak:10.1f} {zero:8.2f}", end="")
    print(f" {report.sqnr_db:8.1f}")


print("      outside   codes used   peak/rms   Q(0)/s   SQNR, dB")
for name in "ABCD":
    report_on(name, cases[name].x, cases[name].quantizer)

# %% [markdown] slideshow={"slide_type": "notes"}
# All four numbers of C are normal. A and D have one each that is not; B has two: an outlier also wastes the range.
#
# An SQNR means something only beside another that it can be compared with. That of D is higher than those of A and B, and anyone who looks at it alone would let D pass. With the same ReLU data C is nearly 6 dB above D, and only this comparison shows it.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Once the diagnosis is clear, we can treat it. Which case below gains most? Which is cured, and still does not have a high SQNR?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students choose the cure before they see its effect; wrong choices teach the most.

# %% slideshow={"slide_type": "fragment"}
healthy, relu, spiked = (cases[name].x for name in "ACB")
cures = {"A": ("minmax", fit(healthy, 4, symmetric=True))}
cures["B"] = "mse", fit(spiked, 4, symmetric=True, method="mse")
cures["D"] = "exact zero", UniformQuantizer(QuantizationParams.from_tensor(relu, UINT4))
print("                   SQNR, dB: before    after    after, without the largest value")
for name, (cure, quantizer) in cures.items():
    t, ill = cases[name].x, cases[name].quantizer
    rest = t != t.abs().max()
    numbers = sqnr_db(t, ill(t)), sqnr_db(t, quantizer(t)), sqnr_db(t[rest], quantizer(t)[rest])
    print(f"{name}   {cure:12}" + "{:19.1f}{:9.1f}{:13.1f}".format(*numbers))

# %% [markdown] slideshow={"slide_type": "notes"}
# A had the wrong range, and `minmax` is enough. For D the zero point is rounded, which gains nearly 6 dB: when half of the numbers are 0, mid-rise has four times the noise of mid-tread, as computed in [Rate–distortion](01b_rate_distortion.ipynb#Mid-rise-and-mid-tread).

# %% [markdown] slideshow={"slide_type": "notes"}
# B gains most. Its number is still not high, because the outlier is clipped, and most of the noise that remains comes from it alone. Without it, all the others are fine. The SQNR cannot tell whether the outlier was important.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6 Pictures deceive
#
# It is common to draw a histogram of $x$ and one of $\hat x$, each with 50 bins.
#
# **[Predict]** $x$ is uniform and quantized to INT8. Is the histogram of $\hat x$ flat? Leaving out both ends, by what factor is the highest bin above the lowest? (Reconstructed values are $2\sqrt3/254$ apart, bins are $3.5/50$ wide.)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Look at both histograms, and let students say whether anything is wrong with the second.

# %%
exercises.predict("comb-ratio")

# %% tags=["fold", "predict"] slideshow={"slide_type": "subslide"}
flat = samples.distribution("uniform", 10**6)
q8 = fit(flat, 8, symmetric=True)
sheet, spread = Sheet(2), []
for i, (name, t) in enumerate((("x", flat), ("x̂", q8(flat)))):
    heights, edges = density(t, -1.75, 1.75, 50)
    inner = heights[2:-2]
    spread.append((inner.max() / inner.min()).item())
    sheet.bars(i, name, heights, edges, color=(BLUE, RED)[i])
    sheet.frame(i, f"{name} in 50 bins", name, "density", (-1.8, 1.8), (0, 0.4))
sheet.show("uniform-bins", x=f"{spread[0]:.2f}", x_hat=f"{spread[1]:.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# A bin is $3.5/50$ wide, and reconstructed values are $s$ apart. How many of them are in a bin? By what factor should the highest and the lowest bin differ?

# %% slideshow={"slide_type": "skip"}
inside = (3.5 / 50 / q8.params.scale).item()
print(f"levels per bin: {inside:.2f}, so {int(inside)} or {int(inside) + 1}")
print(f"highest / lowest   predicted {(int(inside) + 1) / int(inside):.2f}", end="   ")
print(f"measured {spread[1]:.2f}   (x itself, from sampling: {spread[0]:.2f})")

# %% [markdown] slideshow={"slide_type": "notes"}
# The “teeth of a comb” in $\hat x$ are no fault of the quantization. Some bins hold 5 reconstructed values and some 6, so the histogram goes up and down. Discrete numbers should be drawn as one line for each level, like the red lines of section 1.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Three more:
#
# - **Scatter plots hide density.** With ten thousand points on top of each other, you cannot see whether a place has ten of them or a thousand. For density use a histogram.
# - **To see the shape, divide the error by $s$; to compare sizes, do not.** Undivided, the errors of 8 and 2 bits differ by a factor of about a hundred, and in one picture only the larger is visible. Divided, both lie within $\pm\tfrac12$, and which is larger cannot be seen.
# - **For tails use a log axis.** Outliers are one in a thousand, and invisible on a linear vertical axis. The calibration figure of [Quantization parameters](03_params.ipynb) has a log axis.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# These are for after class. Write your answer, and the next cell checks it; if you have not touched an exercise, the check says that it is not finished.
#
# **[Try]** (5 minutes, difficulty 1/3) Write `my_share(x, scale, qmin, qmax)`: with $z = 0$, it returns the fraction of values that are clipped.

# %% slideshow={"slide_type": "skip"}
def my_share(x, scale, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("clipped-share", my_share)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_share(x, scale, qmin, qmax):
#     q = torch.round(x / scale)
#     return ((q < qmin) | (q > qmax)).float().mean()
# ```
#
# Round first, then compare: a value less than half a step beyond the outermost reconstructed value is not clipped.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (4 minutes, difficulty 1/3) Write `my_ratio(x)`: the ratio of the peak (the largest magnitude) to the root mean square.

# %% slideshow={"slide_type": "skip"}
def my_ratio(x):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("peak-over-rms", my_ratio)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_ratio(x):
#     return x.abs().max() / x.square().mean().sqrt()
# ```
#
# Square, then average, then take the root; the mean is not subtracted.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (6 minutes, difficulty 1/3) Write `my_rows(w, w_hat)`: for two matrices of the same size, it returns the SQNR of each row (a one-dimensional tensor), in dB.

# %% slideshow={"slide_type": "skip"}
def my_rows(w, w_hat):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("row-sqnr", my_rows)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_rows(w, w_hat):
#     signal, noise = w.square().sum(1), (w - w_hat).square().sum(1)
#     return 10 * torch.log10(signal / noise)
# ```
#
# Sum along dimension 1, and what remains are the rows.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (8 minutes, difficulty 2/3) In a Gaussian matrix `(32, 64)`, 1 of every 8 rows is reduced to a tenth. Choose settings so that the SQNR of **the worst row** is at least 15 dB, with at most 4.5 bits on average (with float16 scales). `bits` is 2 to 8, `layout` is `"per tensor"`, `"per channel"` (one for each row) or `"per group"` (groups of 16). Have a sentence ready to defend your choice.

# %% slideshow={"slide_type": "skip"}
my_settings = {"bits": ..., "layout": ...}

# %% slideshow={"slide_type": "skip"}
exercises.check("choose-layout", my_settings)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# my_settings = {"bits": 4, "layout": "per channel"}
# ```
#
# With a scale of its own, a small row has a small step. A row has 64 weights, so each weight takes only $16/64 = 0.25$ bits more. Per group would be accurate enough as well, but takes 1 bit more.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Four more cases
#
# The other four cases. Answer first, then run the cell after H to check.

# %% slideshow={"slide_type": "skip"}
case("E")

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Predict]** What is the diagnosis for E?

# %% slideshow={"slide_type": "skip"}
exercises.predict("diagnosis/E")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# **Healthy.** All three panels are as they should be: the tips of the red lines follow the blue outline, the box is filled with nothing outside, the stairs follow the dashed line.
#
# </details>

# %% slideshow={"slide_type": "skip"}
case("F")

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Predict]** What is the diagnosis for F?

# %% slideshow={"slide_type": "skip"}
exercises.predict("diagnosis/F")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# **Codes that wrap around.** On the right the ends have jumped to the other side: the largest numbers have become negative. The error has a column at either edge, as with clipping, but clipped ends would be flat. Where clipping was forgotten, one more than the largest code is the smallest code.
#
# </details>

# %% slideshow={"slide_type": "skip"}
case("G")

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Predict]** What is the diagnosis for G?

# %% slideshow={"slide_type": "skip"}
exercises.predict("diagnosis/G")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# **A wasted range.** There are only a few red lines on the left and a few stairs on the right, as with an outlier; but the horizontal axis is normal, and the data do not crowd to one side. All errors are inside the box, so nothing is clipped. The step is too large, because the range was chosen several times wider than the data.
#
# </details>

# %% slideshow={"slide_type": "skip"}
case("H")

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Predict]** What is the diagnosis for H?

# %% slideshow={"slide_type": "skip"}
exercises.predict("diagnosis/H")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# **An outlier and an inexact 0.** The horizontal axis is stretched and only a few codes are used: this is the outlier. The error is not highest in the middle, there is a high column near $-\tfrac12$, and the lowest stair on the right is not at 0: this is the inexact 0. When you have found one fault, go on and look at the other panels.
#
# </details>

# %% slideshow={"slide_type": "skip"}
print("      outside   codes used   peak/rms   Q(0)/s   SQNR, dB")
for name in "EFGH":
    report_on(name, cases[name].x, cases[name].quantizer)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Discussion
#
# **[Think]** A network has a hundred layers, and you cannot look at pictures of each. Which numbers would you compute first, and with which limits would you pick the layers to look at? Which fault would your numbers miss?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Discuss for 5 minutes: for a network of a hundred layers, which numbers should raise an alarm?

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# - The three panels have different tasks: the distribution shows how codes are used, the error whether it still looks like uniform noise, and original against quantized shows clipping and 0.
# - Without clipping $e/s$ has the density $\sum_k s\,f(s(k+u))$. With a small step it is close to 1: the error fills the box $\pm\tfrac12$, with variance $\tfrac1{12}$ (in units of $s^2$).
# - The signal determines the error: the error of a sine has only harmonics in its spectrum.
# - The mean height of the spectrum is the noise power. Subtractive dither levels the harmonics, not the power; the signal must not be clipped.
# - With `minmax`, the ratio of the peak to the root mean square decides the SQNR of a layer's weights; what the layer does to the output of the network is known only by running it.
# - One SQNR hides local disasters. Look by rows, layers and channels.
# - Check what you see in a picture by numbers, and compare only on the same data.

# %% [markdown] slideshow={"slide_type": "skip"}
# Next: [A real network](05b_network.ipynb).
