# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # ★ Rate–distortion: how far it is to the limit
#
# We quantize Gaussian data with 8 levels. The levels can be evenly spaced, or denser here and sparser there. All codes can take 3 bits, or the frequent ones can be short and the rare ones long. Each of these ideas improves on the one before. How far can this go? Is there a line that no quantizer crosses, whatever its design? In this chapter we first find the best quantizers, then this line, and then measure how far from it various quantizers are.
#
# The whole chapter is optional (★). Its mathematics goes a little beyond first-year calculus and probability, and whatever goes beyond is derived here. You can skip it and still follow the rest of the course if you remember three results. An integer grid with a zero point always contains 0 (it is mid-tread). If the codes are independent, their **entropy** is the least number of bits per code, on average, that stores them without loss. For independent Gaussian data at $R$ bits per value, the noise power cannot be less than $\sigma^2\,2^{-2R}$.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# This chapter is for a class that knows calculus and probability. Begin with: 8 levels, evenly spaced or not, which is better, and by how much?

# %% [markdown] slideshow={"slide_type": "subslide"}
# **After this chapter you can:**
#
# - derive the two necessary conditions of a Lloyd–Max quantizer, say when they are sufficient as well, and give an example that stops in a local minimum;
# - explain why an integer grid with a zero point is mid-tread, and why the optimal evenly spaced quantizer for a Gaussian is mid-rise when its number of levels is even;
# - start from “a symbol of probability $p$ should take $-\log_2 p$ bits” and arrive at entropy, and build a Huffman code by hand and in code;
# - derive the lower bound of the Gaussian rate–distortion function, with a reason for each inequality;
# - read a rate–distortion plot, and say where 1.53 dB and 4.35 dB come from.

# %% [markdown] slideshow={"slide_type": "skip"}
# | section | time |
# |:--|:--|
# | 1 Optimal quantizers | 30 minutes |
# | 2 Entropy | 30 minutes |
# | 3 Rate–distortion | 25 minutes |
# | Exercises | 25 minutes |
# | Summary | 5 minutes |
#
# For more, see a survey of quantization ([Gray & Neuhoff, 1998](references.ipynb)) and a textbook of information theory ([Cover & Thomas, 2006](references.ipynb)).

# %% slideshow={"slide_type": "skip"}
import heapq
import math
from itertools import product

import torch

from quantcore import QuantizationParams, UniformQuantizer
from quantcore import entropy, exercises, explore, gaussian_distortion, lloyd_max, noise_power
from quantcore import optimal_uniform, samples
from quantcore.quantizer import fit
from quantcore.schemes import round_to_levels
from quantcore.sheet import BLUE, GRAY, GREEN, INK, PURPLE, RED, Sheet

device = "cuda" if torch.cuda.is_available() else "cpu"

# %% slideshow={"slide_type": "skip"}
explore.set_language("en")

# %% [markdown] slideshow={"slide_type": "skip"}
# The Gaussian data are the same throughout the chapter: `x` is a million numbers of mean 0 and standard deviation 1, `sample` the first 200,000 of them. `power` is the mean square, `fit` makes an integer quantizer from data, `density` and `below` are the density and the distribution function of the standard Gaussian, `decibel` turns a ratio of powers into decibels.

# %% slideshow={"slide_type": "skip"}
x = samples.distribution("normal", 10**6).to(device)
sample = x[:200_000].double()
below = torch.special.ndtr


def power(e):
    return e.double().square().mean().item()


def decibel(ratio):
    return 10 * math.log10(ratio)


# %% slideshow={"slide_type": "skip"}
def density(t):
    return torch.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)


# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 Optimal quantizers
#
# ### Two necessary conditions
#
# The quantizers of the last chapter were all evenly spaced, but quantizers need not be. The $L$ **reconstructed values** $y_1 < \dots < y_L$ may be chosen freely, and so may the **thresholds** $t_1 < \dots < t_{L-1}$ that divide the line into cells (write $t_0 = -\infty$ and $t_L = \infty$). If $x$ has the density $f(x)$, the noise power is
#
# $$
# D = \sum_{i=1}^{L} \int_{t_{i-1}}^{t_i} (x - y_i)^2 f(x)\, \mathrm{d}x
# $$

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# To fix one half and solve for the other is the idea of the chapter, and of k-means.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Which choice makes $D$ smallest? We fix one half of these numbers and find the other half, in alternation.
#
# First fix the thresholds and find the reconstructed values. $y_i$ appears only in integral $i$. Expand the square:
#
# $$
# \int (x - y_i)^2 f\, \mathrm{d}x = \int x^2 f\, \mathrm{d}x - 2 y_i \int x f\, \mathrm{d}x + y_i^2 \int f\, \mathrm{d}x
# $$

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students differentiate. Point out that the integrand is continuous at a threshold, so the terms that come from differentiating the limits cancel.

# %% [markdown] slideshow={"slide_type": "notes"}
# The three integrals on the right run over cell $i$ and do not contain $y_i$, so the left side is a quadratic function of $y_i$. Its minimum is at $y_i = \int x f\,\mathrm{d}x \big/ \int f\,\mathrm{d}x$, the conditional mean of $x$ in this cell.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Then fix the reconstructed values and find the thresholds. $t_i$ is the upper end of integral $i$ and the lower end of integral $i + 1$. By the fundamental theorem of calculus, the derivative with respect to the upper end is the integrand there; with respect to the lower end it has a minus sign. So
#
# $$
# \frac{\partial D}{\partial t_i} = \left[(t_i - y_i)^2 - (t_i - y_{i+1})^2\right] f(t_i) = 0
# $$
#
# As long as $f(t_i) > 0$, $t_i$ must be equally far from its two neighboring reconstructed values. So an optimal quantizer satisfies both conditions:
#
# $$
# t_i = \frac{y_i + y_{i+1}}{2}, \qquad y_i = \mathbb{E}[\,x \mid t_{i-1} < x \le t_i\,]
# $$
#
# [[N11](06_summary.ipynb#All-formulas)]

# %% [markdown]
# Thresholds lie halfway between neighboring reconstructed values, and each reconstructed value is the centroid of its cell.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** A Gaussian, $\sigma = 1$, $L = 2$. By symmetry the threshold is 0. What are the two reconstructed values, and what is the noise power?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Guess first: 1 standard deviation, 0.8, or 0.67?

# %%
exercises.predict("two-levels")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $y_2 = \mathbb{E}[x \mid x > 0] = 2\int_0^\infty x f(x)\,\mathrm{d}x = 2f(0) = \sqrt{2/\pi} \approx 0.798$, and $y_1 = -y_2$.
#
# The noise power is $\mathbb{E}[x^2] - y_2^2 = 1 - 2/\pi \approx 0.3634$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# For larger $L$ the two conditions depend on each other, and in general no formula solves them. They can be satisfied in turn, though: thresholds from reconstructed values, reconstructed values from thresholds, thresholds again, and so on. Each step fixes one half and makes the other as good as it can be, so $D$ never grows. This is the **Lloyd–Max algorithm** ([Lloyd, 1982; Max, 1960](references.ipynb)).
#
# When all we have is samples, the conditional mean becomes the average of the samples in the cell. One such step takes four lines:

# %% slideshow={"slide_type": "skip"}
def lloyd_step(y, values):
    """Thresholds midway between the levels y, then every level to the mean of its cell."""
    cell = torch.bucketize(values, (y[1:] + y[:-1]) / 2)  # 0 … L - 1: the nearest level
    count = torch.bincount(cell, minlength=len(y))
    total = torch.bincount(cell, values, minlength=len(y))
    return torch.where(count > 0, total / count, y)  # an empty cell keeps its level


# %% [markdown] slideshow={"slide_type": "skip"}
# Start from 8 evenly spaced values, take a hundred steps, and compare with `lloyd_max`, which uses integrals of the Gaussian density instead of samples.

# %% slideshow={"slide_type": "skip"}
y = torch.linspace(-4, 4, 8, dtype=torch.float64, device=device)
print("steps      MSE")
for i in range(101):
    if i in (0, 1, 2, 5, 20, 100):
        print(f"{i:5} {power(sample - round_to_levels(sample, y)):8.4f}")
    y = lloyd_step(y, sample)
best = lloyd_max(8, "normal")
print(f"lloyd_max(8, 'normal')   {best.mse:.4f}")
print(f"largest difference of a level {(y.cpu() - best.levels).abs().max().item():.3f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# The noise keeps falling, and stops where `lloyd_max` is (the reconstructed values differ by sampling error).
#
# Applied to samples, this algorithm is **$k$-means clustering** in one dimension. It divides data into $k$ groups by repeating two things: each number goes to the nearest center, and each center goes to the mean of its group. Here $k = L$, and the centers are the reconstructed values.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Necessary, and not always sufficient
#
# The derivation sets derivatives to zero, so both conditions are necessary: an optimal quantizer satisfies them. What about the converse?
#
# **[Predict]** The data come in three clusters, near $-5$, $0$ and $5$, and are quantized to 3 levels. One run starts from $(-5, 0, 5)$, another from $(-5.2, -4.8, 3)$, each with 200 steps. Do they reach the same result?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask whether two starts lead to the same place. Most say yes.

# %%
exercises.predict("lloyd-starts")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
clusters = torch.tensor([-5.0, 0.0, 5.0]).repeat_interleave(10_000).double()
clusters += 0.3 * samples.distribution("normal", 30_000).double()
print("start                levels after 200 steps       MSE   moved by one more step")
for start in ([-5.0, 0.0, 5.0], [-5.2, -4.8, 3.0]):
    y = torch.tensor(start, dtype=torch.float64)
    for _ in range(200):
        y = lloyd_step(y, clusters)
    mse, moved = power(clusters - round_to_levels(clusters, y)), lloyd_step(y, clusters) - y
    reached = " ".join(f"{v:z6.2f}" for v in y.tolist())
    print(f"{str(start):20} {reached} {mse:12.3f} {moved.abs().max().item():24.4f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# Where the second run stops, both conditions hold (one more step moves nothing), and yet the noise is dozens of times larger: two reconstructed values share one cluster, and the third lies between the other two clusters. This is a **local minimum**.

# %% [markdown] slideshow={"slide_type": "skip"}
# When is there nothing to worry about? If $\log f(x)$ is concave, only one quantizer satisfies both conditions, so it is optimal ([Fleischer, 1964; Trushkin, 1982](references.ipynb)). The Gaussian, the Laplace and the uniform distribution are of this kind. Samples have no such guarantee: the result depends on the start, which is why $k$-means is usually run from several. `lloyd_max` tries two for samples and takes the better result.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### The tables of 1960
#
# Max's paper of 1960 gives two tables for the Gaussian: the optimal reconstructed values, and the optimal evenly spaced ones. In the next cell `published` is the mean squared error in the paper, `computed` is what `quantcore` finds.
#
# By how many decibels are optimal levels better than evenly spaced ones? Does the difference grow or shrink with $L$? Look at the last column.

# %% slideshow={"slide_type": "fragment"}
published = {2: (0.3634, 0.3634), 4: (0.1175, 0.1188), 8: (0.0345, 0.0374)}
published |= {16: (0.0095, 0.0115), 32: (0.0025, 0.0035)}
print("        optimal                 optimal, even steps")
print(" L   published   computed      published   computed     dB between")
for levels, (a, b) in published.items():
    free, even = lloyd_max(levels, "normal").mse, optimal_uniform(levels, "normal").mse
    print(f"{levels:2} {a:11.4f} {free:10.4f} {b:14.4f} {even:10.4f}", end="")
    print(f"{abs(decibel(even / free)):15.2f}")

# %% tags=["fold"] slideshow={"slide_type": "subslide"}
even_8, t = optimal_uniform(8, "normal"), torch.linspace(-3.5, 3.5, 281)
sheet = Sheet(panels=1, height=3.0)
sheet.frame(0, "8 levels for a Gaussian", "x / σ", "density", (-3.5, 3.5), (-0.16, 0.44))
sheet.line(0, "density", t, density(t))
sheet.points(0, "optimal", best.levels, [-0.05] * 8, marker="o", markersize=6, color=RED)
sheet.points(0, "even steps", even_8.levels, [-0.11] * 8, marker="s", markersize=5, color=GREEN)
sheet.legend(0)
outermost = {"free": f"{best.levels[-1]:.3f}", "even": f"{even_8.levels[-1]:.3f}"}
sheet.show("01b_rate_distortion-levels", **outermost)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Look at the right end: the outermost evenly spaced level lies further in than the optimal one. Why?

# %% [markdown] slideshow={"slide_type": "notes"}
# The more levels, the larger the difference: 1.45 dB at 32 levels. Optimal reconstructed values are dense in the middle and sparse at the sides; they gather where the data are. The price is that codes and values are no longer proportional. With even spacing $\hat x = s\,(q - z)$, and $q - z$ can go straight into an integer multiplication. Without it, the value must be looked up in a table first. Integer multipliers support evenly spaced grids only.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### At the optimum the error is correlated with the signal
#
# It is often said that “the error is uncorrelated with the signal”. Is this true of an optimal quantizer?
#
# The centroid condition says that within each cell the error $e = x - \hat x$ has mean 0. And $\hat x$ is constant in a cell, so
#
# $$
# \mathbb{E}[\hat x\, e] = 0, \qquad \mathbb{E}[x\,e] = \mathbb{E}[(\hat x + e)\,e] = \sigma_q^2
# $$
#
# [[N12](06_summary.ipynb#All-formulas)]

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# The sentence is common in textbooks. Let students derive the opposite from the centroid condition.

# %% [markdown]
# It is not true: whenever $\sigma_q^2 > 0$, also $\mathbb{E}[x\,e] > 0$. What the error is uncorrelated with is the output $\hat x$, not the input $x$. It follows that $\mathbb{E}[\hat x^2] = \mathbb{E}[x\,\hat x] = \mathbb{E}[x^2] - \sigma_q^2$: the output of an optimal quantizer has less power than its input.

# %% [markdown] slideshow={"slide_type": "notes"}
# Be careful when checking this. The best **evenly spaced** quantizer satisfies $\mathbb{E}[\hat x\,e] = 0$ as well (at the best step, the error is orthogonal to $\hat x$), but not the centroid condition. What tells the two apart is the mean of the error in each cell.

# %% slideshow={"slide_type": "fragment"}
both = {"optimal": best, "even steps": even_8}
print("levels       E[x_hat e]   E[x e]      MSE   E[x_hat^2]   1 - MSE   largest mean of a cell")
for name, quantizer in both.items():
    x_hat = round_to_levels(x, quantizer.levels.to(device))
    e, cell = x.double() - x_hat, torch.bucketize(x.double(), quantizer.thresholds.to(device))
    means = torch.bincount(cell, e) / torch.bincount(cell)
    products = (x_hat * e).mean().item(), (x.double() * e).mean().item()
    print(f"{name:10} {products[0]:z12.4f} {products[1]:8.4f} {quantizer.mse:8.4f}", end="")
    print(f"{power(x_hat):13.4f} {1 - quantizer.mse:9.4f} {means.abs().max().item():24.4f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Mid-rise and mid-tread
#
# Max's tables have an evenly spaced quantizer with $L = 8$. A 3-bit integer quantizer has 8 evenly spaced levels too. The two differ in where the grid lies with respect to 0:
#
# - **Mid-rise**: 0 is a threshold, and the nearest reconstructed values are $\pm\Delta/2$. Drawn as a staircase, the curve rises exactly at 0. No reconstructed value is 0.
# - **Mid-tread**: 0 is a reconstructed value, and the staircase is flat at 0.

# %% [markdown] slideshow={"slide_type": "notes"}
# The reconstructed values of an integer quantizer are $\hat x = s\,(q - z)$. The [**zero point**](glossary.ipynb#Parameters) $z$ is itself a code, and $q = z$ gives $\hat x = 0$. So **when the zero point is an integer code, the grid is always mid-tread**. On the other hand, if an even number of reconstructed values is evenly spaced and symmetric about 0, there is none in the middle, so **a symmetric, evenly spaced grid with an even number of levels is mid-rise**, as in Max's tables. You cannot have both: to contain 0 and be symmetric takes an odd number of levels. With 8 codes, either there is one negative code more ($-4 \dots 3$), or it is given up and only 7 are used.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Three 3-bit grids, each with its best step. How do they rank on Gaussian data, from the least noise to the most?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students count levels: 8, 8, 7. After the answer ask why integers are mid-tread all the same.

# %%
exercises.predict("three-grids")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
def best_noise(qmin, qmax):
    steps = torch.linspace(0.4, 0.8, 81).tolist()
    trials = [QuantizationParams(torch.tensor(s), torch.tensor(0), qmin, qmax) for s in steps]
    return min(power(sample - UniformQuantizer(p)(sample)) for p in trials)


print("grid                    exact   measured")
print(f"mid-rise, 8 levels  {optimal_uniform(8, 'normal').mse:9.4f}")
print(f"codes -4 ... 3      {'-':>9} {best_noise(-4, 3):10.4f}")
print(f"codes -3 ... 3      {optimal_uniform(7, 'normal').mse:9.4f} {best_noise(-3, 3):10.4f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# For Gaussian data mid-rise is best. Why then do integer grids insist on mid-tread? Because so many numbers in a network are exactly 0: **padding** (the 0s around an image), the 0s that ReLU makes out of negative numbers, and **pruning** (unimportant weights set to 0).

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Compute]** Half of the data are 0, the other half are Gaussian, and the step $\Delta$ is small. What is the noise power of mid-tread and of mid-rise, as a multiple of $\Delta^2/12$?

# %% slideshow={"slide_type": "skip"}
exercises.predict("half-zeros")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# Mid-tread: a 0 has no error, the other half has 1 times this noise; together $\tfrac12 \cdot 0 + \tfrac12 \cdot 1 = 0.5$ times.
#
# Mid-rise: each 0 has the error $\Delta/2$, with power $\Delta^2/4$, that is, 3 times $\Delta^2/12$. Together $\tfrac12 \cdot 3 + \tfrac12 \cdot 1 = 2$ times.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "skip"}
step = 1 / 8
half_zeros = torch.where(torch.arange(len(x), device=device) % 2 == 0, x, 0)
print("data         predicted: tread, rise   measured: tread, rise   (times step^2/12)")
for name, v, tread, rise in (("normal", x, 1, 1), ("half zeros", half_zeros, 0.5, 2)):
    e_tread = v - step * (v / step).round()  # levels at ... -1, 0, 1 ... steps
    e_rise = v - step * ((v / step).floor() + 0.5)  # levels at ... -1/2, 1/2 ... steps
    measured = [power(e) / noise_power(step) for e in (e_tread, e_rise)]
    print(f"{name:10} {tread:17.2f} {rise:6.2f} {measured[0]:16.2f} {measured[1]:6.2f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How dense the reconstructed values should be
#
# With many levels there is a formula for the best spacing. Let the **point density** of the $L$ reconstructed values be $\lambda(x)$: a short piece of length $\mathrm{d}x$ holds $L\,\lambda(x)\,\mathrm{d}x$ of them, and $\int\lambda\,\mathrm{d}x = 1$. Near $x$ the step is $1/(L\lambda(x))$, and the noise there is the square of the step over 12, so
#
# $$
# D \approx \int \frac{f(x)}{12\,L^2 \lambda(x)^2}\, \mathrm{d}x
# $$

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# The power of one third is a surprise. Ask why it is not the density itself.

# %% [markdown]
# Minimize under the constraint $\int\lambda\,\mathrm{d}x = 1$. With a Lagrange multiplier, take the derivative with respect to $\lambda$ at each point: $f/\lambda^3$ must be constant, so $\lambda(x)$ is proportional to $f(x)^{1/3}$. Insert it:
#
# $$
# D \approx \frac{1}{12\,L^2} \left(\int f(x)^{1/3}\, \mathrm{d}x\right)^{3}
# $$
#
# [[N19](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# This is the formula of Panter and Dite ([Panter & Dite, 1951](references.ipynb)); it needs a smooth density and a large $L$. For the Gaussian, $f^{1/3}$ has the shape of a Gaussian again, with the standard deviation $\sqrt3\,\sigma$; the integral is $\sqrt3\,(2\pi\sigma^2)^{1/3}$, and its cube gives

# %% [markdown] slideshow={"slide_type": "skip"}
# $$
# D \approx \frac{\sqrt3\,\pi}{2} \cdot \frac{\sigma^2}{L^2}
# $$
#
# In decibels, $10\log_{10}(\sqrt3\,\pi/2) = 4.35$ dB. Section 3 will need this number.

# %% [markdown] slideshow={"slide_type": "notes"}
# **[Think]** With $\lambda(x) = f(x)$, every reconstructed value would be used equally often. As $L$ grows, how does the noise of this spacing compare with that of $f^{1/3}$?

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print(" L   Lloyd-Max   density f^(1/3)   density f   (MSE times L^2)")
for levels in (8, 16, 32, 64, 128):
    share = (torch.arange(levels, dtype=torch.float64, device=device) + 0.5) / levels
    place = torch.special.ndtri(share)  # below it lies that share of a Gaussian
    third, same = round_to_levels(sample, 3**0.5 * place), round_to_levels(sample, place)
    errors = lloyd_max(levels, "normal").mse, power(sample - third), power(sample - same)
    print(f"{levels:3} {errors[0] * levels**2:10.3f} {errors[1] * levels**2:17.3f}", end="")
    print(f"{errors[2] * levels**2:12.3f}")
print(f"predicted, L to infinity: {3**0.5 * math.pi / 2:.3f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# The first column approaches the prediction, and so does the second: with many levels, spacing by $f^{1/3}$ is practically optimal. The third keeps growing, because spacing by $f$ leaves too few reconstructed values in the tails. “Every code is used equally often” and “the mean squared error is least” are two different aims. The format NF4 comes from the first; [Quantization schemes](02_schemes.ipynb) will use what we found here.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 Entropy
#
# ### Beginning with four symbols
#
# How can codes be stored in the fewest bits? A small example: four symbols A, B, C, D have the probabilities $\tfrac12$, $\tfrac14$, $\tfrac18$, $\tfrac18$. With 2 bits for each, the average is 2 bits. Can it be less?
#
# Make the frequent ones short and the rare ones long: A is 0, B 10, C 110, D 111. No code word is the beginning of another. Such a code is a **prefix code**, and it needs no separators.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** You receive `0100111`. Which symbols were sent? How many bits does a symbol take on average?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let somebody decode aloud: after which bit is each letter known?

# %%
exercises.predict("mean-length")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Go from left to right, and cut as soon as you have a code word: `0`, `10`, `0`, `111`, which is A, B, A, D.
#
# The mean length is $\tfrac12 \cdot 1 + \tfrac14 \cdot 2 + \tfrac18 \cdot 3 + \tfrac18 \cdot 3 = 1.75$ bits.
#
# </details>

# %% slideshow={"slide_type": "skip"}
words = {"A": "0", "B": "10", "C": "110", "D": "111"}
p = {"A": 1 / 2, "B": 1 / 4, "C": 1 / 8, "D": 1 / 8}

# %% tags=["fold"] slideshow={"slide_type": "subslide"}
def center(word):
    return sum(int(bit) / 2 ** (k + 1) for k, bit in enumerate(word)) + 0.5 ** (len(word) + 1)


sheet = Sheet(panels=1, height=3.6)
sheet.frame(0, "code tree", "share of all bit strings", "bits read", (0, 1), (4.4, -0.2))
sheet.axes[0].set_yticks(range(4))
for symbol, word in words.items():
    at, half = [center(word[:k]) for k in range(len(word) + 1)], 0.5 ** (len(word) + 1) - 0.004
    sheet.line(0, symbol, at, range(len(at)), color=BLUE, marker="o", markersize=4)
    sheet.line(0, f"{symbol} share", [at[-1] - half, at[-1] + half], [4.0] * 2, color=RED)
    sheet.restyle(0, f"{symbol} share", linewidth=9)
    sheet.text(0, f"{symbol} word", at[-1], len(word) + 0.42, f"{symbol} = {word}", ha="center")
shares = ", ".join(f"{s} = {w}: {2.0 ** -len(w)}" for s, w in words.items())
sheet.show("01b_rate_distortion-tree", shares=shares)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Speak of shares: a code word of one bit takes half of the space.

# %% [markdown] slideshow={"slide_type": "notes"}
# In the figure a code word is read from top to bottom: left is 0, right is 1. The red bar below a word is its share. Of all strings of 0s and 1s, half begin with 0, a quarter with 10. A code word of length $\ell$ has the share $2^{-\ell}$. In a prefix code with the lengths $\ell_q$ the shares do not overlap, so they add up to at most 1: $\sum_q 2^{-\ell_q} \le 1$ (Kraft's inequality).

# %% [markdown] slideshow={"slide_type": "subslide"}
# So shares are a budget: a shorter word takes more of it. The natural way to give out shares is by probability, $2^{-\ell_q} = p_q$, that is,
#
# $$
# \ell_q = -\log_2 p_q
# $$
#
# This is where “a symbol of probability $p$ should take $-\log_2 p$ bits” comes from. With these lengths the mean is
#
# $$
# H = -\sum_q p_q \log_2 p_q
# $$
#
# [[N13](06_summary.ipynb#All-formulas)]

# %% [markdown]
# $H$ is the [**entropy**](glossary.ipynb#Information-theory), in bits ([Shannon, 1948](references.ipynb)). A bit of information is not a bit of storage; the text says which.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Is there a better way? No. Let another code have the lengths $\ell_q$, and so the shares $r_q = 2^{-\ell_q}$. $\log_2$ is concave, and by Jensen's inequality (the mean of a concave function is at most the function of the mean)
#
# $$
# H - \sum_q p_q \ell_q = \sum_q p_q \log_2 \frac{r_q}{p_q} \le \log_2 \sum_q r_q \le 0
# $$

# %% [markdown]
# So the mean length of any prefix code is at least $H$. The difference $\sum_q p_q \log_2 (p_q/r_q)$ is the **Kullback–Leibler divergence** $D_{\mathrm{KL}}$: the probabilities are really $p_q$, the code was designed for $r_q$, and this is how many more bits it takes on average.

# %% [markdown] slideshow={"slide_type": "notes"}
# The inequality also says that $\sum_q p_q \log_2 (r_q/p_q) \le 0$ for any two sets of probabilities, and likewise for densities and integrals. Keep it in mind: the bound in section 3 rests on it.

# %% [markdown] slideshow={"slide_type": "skip"}
# There are at most $2^b$ codes of $b$ bits, and $r_q = 2^{-b}$ for all is the fixed-length code. So $H \le b$, with equality only if all codes are equally frequent.

# %% slideshow={"slide_type": "skip"}
H = -sum(v * math.log2(v) for v in p.values())
message = "AABACADB"  # as often as p says
bits = "".join(words[symbol] for symbol in message)
found, rest = "", bits
while rest:
    symbol = next(s for s, word in words.items() if rest.startswith(word))
    found, rest = found + symbol, rest[len(words[symbol]) :]
print("mean length predicted", sum(p[s] * len(w) for s, w in words.items()), "bits")
print("mean length measured ", len(bits) / len(message), "bits:", bits)
print("decoded", found, found == message)
print("entropy H", H, "  quantcore", entropy(torch.tensor(["ABCD".index(s) for s in message])))

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Huffman codes
#
# When the probabilities are not all powers of 2, some $-\log_2 p_q$ is no integer, and code words must have integer lengths. The best integer lengths are those of the **Huffman code** ([Huffman, 1952](references.ipynb)): starting from the symbols, merge the two least probable nodes into one until only one is left. Each merge adds one bit to all the symbols below it, so the mean length grows by exactly the probability of the merged node.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students design a code of their own first, and compare the mean lengths.

# %% [markdown] slideshow={"slide_type": "notes"}
# In the example above: merge C and D into $\tfrac14$; merge that with B into $\tfrac12$; merge that with A into 1. The mean length is $\tfrac14 + \tfrac12 + 1 = 1.75$, as before.

# %% [markdown]
# **[Compute]** Four symbols have the probabilities 0.4, 0.3, 0.2, 0.1. Build a Huffman code by hand. How long is each code word, and what is the mean length?

# %%
exercises.predict("huffman-mean")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $0.1 + 0.2 = 0.3$; the two nodes of 0.3 merge into 0.6; with 0.4 that gives 1. The mean length is $0.3 + 0.6 + 1 = 1.9$ bits, and the lengths are 1, 2, 3, 3.
#
# The entropy is 1.846 bits. The Huffman code takes a little more, because lengths are integers.
#
# </details>

# %% slideshow={"slide_type": "skip"}
def huffman_lengths(counts):
    """The length in bits of each symbol's code word; counts: how often each occurs."""
    lengths = [0] * len(counts)
    heap = [(count, [symbol]) for symbol, count in enumerate(counts)]
    heapq.heapify(heap)
    while len(heap) > 1:
        (a, left), (b, right) = heapq.heappop(heap), heapq.heappop(heap)  # the two rarest
        for symbol in left + right:
            lengths[symbol] += 1  # one more branch above it
        heapq.heappush(heap, (a + b, left + right))
    return lengths


# %% slideshow={"slide_type": "fragment"}
def huffman_mean(codes):
    """The mean length in bits of a Huffman code made for these codes."""
    counts = codes.unique(return_counts=True)[1].tolist()
    return sum(c * n for c, n in zip(counts, huffman_lengths(counts))) / sum(counts)


for counts in ([4, 2, 1, 1], [4, 3, 2, 1]):
    codes = torch.arange(4).repeat_interleave(torch.tensor(counts))
    print(counts, "lengths", huffman_lengths(counts), end="")
    print(f"   mean {huffman_mean(codes):.3f}   entropy {entropy(codes):.3f} bits")

# %% [markdown] slideshow={"slide_type": "skip"}
# Round every $-\log_2 p_q$ up, and the shares add up to at most 1. Give them out from the largest to the smallest, and you have a prefix code whose mean length is less than $H + 1$. A Huffman code is no worse:
#
# $$
# H \le \sum_q p_q \ell_q < H + 1
# $$
#
# [[N20](06_summary.ipynb#All-formulas)]
#
# The excess is less than 1 bit. When $H$ is small that is a lot: as soon as there is more than one symbol, each code word has at least 1 bit.
#
# An extreme example: weights with the three values $-1$, $0$, $1$. Nine tenths are 0, and $-1$ and $1$ make up 5% each. We join several neighboring weights into one large symbol, and see how many bits a weight takes on average.

# %% slideshow={"slide_type": "skip"}
ternary = {-1: 0.05, 0: 0.9, 1: 0.05}
print(f"entropy {-sum(v * math.log2(v) for v in ternary.values()):.3f} bits per weight")
for block in (1, 2, 4, 6):
    chances = [math.prod(ternary[v] for v in word) for word in product(ternary, repeat=block)]
    lengths = huffman_lengths(chances)
    mean = sum(p * n for p, n in zip(chances, lengths)) / block
    print(f"Huffman, {block} at a time: {len(lengths):3} symbols, {mean:.3f} bits per weight")

# %% [markdown] slideshow={"slide_type": "notes"}
# When several numbers are **coded jointly**, they share the loss from integer lengths, and the mean length approaches $H$. In practice arithmetic coding and ANS (asymmetric numeral systems) come close to $H$ without listing large symbols.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Stored in 8 bits: how many are needed
#
# With a small step the probability of the code $q$ is about $f(x)\,\Delta$ with $x = q\Delta$. In $H$ the sum then becomes an integral:
#
# $$
# H \approx -\int f(x) \log_2\!\left(f(x)\,\Delta\right) \mathrm{d}x = h - \log_2 \Delta,
# \qquad h = -\int f \log_2 f \, \mathrm{d}x
# $$
#
# [[N14](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# $h$ is the **differential entropy**. For the Gaussian $-\log_2 f(x) = \tfrac12\log_2(2\pi\sigma^2) + \tfrac{x^2}{2\sigma^2}\log_2\mathrm{e}$, and $\mathbb{E}[x^2] = \sigma^2$, so

# %% [markdown]
# $$
# h_{\mathrm G}(\sigma^2) = \tfrac12 \log_2\!\left(2\pi\mathrm{e}\,\sigma^2\right)
# $$

# %% [markdown] slideshow={"slide_type": "skip"}
# The upright $\mathrm{e} = 2.718\dots$ is Euler's number; the slanted $e$ is always the error.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** A million Gaussian numbers are quantized to 8 bits, with the range from minimum to maximum. How many bits does each code really need? And with the range of least mean squared error (`mse`)?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 8 bits are stored. How many are needed? Let students write a number before it is shown.

# %%
exercises.predict("needed-bits")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
h_normal = 0.5 * math.log2(2 * math.pi * math.e)
print("stored b   range    max|x_hat|   H predicted   H measured   Huffman")
for b, method in ((3, "minmax"), (4, "minmax"), (6, "minmax"), (8, "minmax"), (8, "mse")):
    quantizer = fit(x, b, method=method)
    codes, step = quantizer.quantize(x), quantizer.params.scale.item()
    end = (2 ** (b - 1) - 1) * step
    print(f"{b:8}   {method:6} {end:12.2f} {h_normal - math.log2(step):13.2f}", end="")
    print(f"{entropy(codes):13.2f} {huffman_mean(codes):9.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# Of the 8 bits, more than one is stored for nothing. The wide range is only a small part of the reason: with the range of least error $H$ grows by only 0.29. The main reason is the distribution: the range must cover the tails, whose codes are rarely used, so the codes are far from equally frequent. (At 3 bits the prediction is too low, because the step is too coarse for the approximation.)

# %% [markdown] slideshow={"slide_type": "skip"}
# Below, the left panel shows the probability of each code, the right panel its ideal length $-\log_2 p_q$. The dashed line on the left is for equally frequent codes; on the right it is the $b$ bits stored, and the red line the mean length $H$.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Try]** Keep the bit width at 4 and go through the five distributions. For which is $H$ closest to $b$, and for which farthest? For “relu”, untick “symmetric”: how do $H$ and the SQNR change?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Before changing the distribution ask: which is flattest, and which saves most?

# %%
explore.rate(bits=4, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The uniform distribution is closest: a symmetric grid leaves one code unused, and the two at the ends are half as frequent as the others. With outliers it is farthest: the outliers decide the range, nearly all the data crowd into one code, and $H$ is close to 0.
#
# The output of a ReLU is never negative, so a symmetric signed grid leaves half of its codes unused, and the entropy is at most $b - 1$ bits: one is stored for nothing. Without “symmetric” the step shrinks to less than half, the SQNR rises by more than 6 dB, and $H$ grows as well, because the numbers other than 0 are told apart more finely.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Samples that depend on each other
#
# For codes **encoded one by one** we proved that the mean length is at least $H$. If neighboring codes are related, so that the previous one makes the next easier to guess, fewer bits will do.
#
# The next cell stores four kinds of data in 8 bits and looks at three entropies: of the codes; of the differences of two neighboring codes; and of the integer residuals when each code is predicted by a linear combination of the 16 before it. Differences and residuals give the codes back exactly.
#
# **[Predict]** A photograph, a chord, the weights of a network: for which does “looking back” save a lot?

# %% slideshow={"slide_type": "skip"}
def residual(codes, taps):
    """The integers that remain when each code is predicted from the `taps` before it."""
    windows = codes.flatten().double().unfold(0, taps + 1, 1)
    past, following = windows[:, :-1], windows[:, -1:]
    weights = torch.linalg.lstsq(past, following).solution  # least squares
    return (following - (past @ weights).round()).long()


# %% tags=["predict"] slideshow={"slide_type": "skip"}
network = samples.digits_network()
real = {"photograph": samples.photograph().movedim(2, 0), "chord": samples.chord()}
real |= {"conv weights": network[2].weight, "linear weights": network[5].weight}
print("data             stored      H   Huffman   H of differences   H, 16 before")
for name, v in real.items():
    codes = fit(v, 8).quantize(v).long()
    row = entropy(codes), huffman_mean(codes), entropy(codes.flatten().diff())
    print(f"{name:14} {8:8} {row[0]:6.2f} {row[1]:9.2f} {row[2]:18.2f}", end="")
    print(f"{entropy(residual(codes, 16)):15.2f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# For the photograph, differences of neighboring pixels save more than two bits. The waveform of the chord is very regular, and after prediction takes little more than one bit. Lossless formats such as PNG and FLAC do just this: predict, then encode. Weights are hardly related. Differences even raise their entropy and prediction saves next to nothing, so for weights $H$ is close to the true limit. (With only a few thousand weights, frequencies in place of probabilities make the entropy slightly too low.)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 Rate–distortion
#
# ### Rate, and the limit
#
# Now we can ask about the line that cannot be crossed. Encode $N$ numbers together into one string of bits, and reconstruct them from it. Define
#
# - the [**rate**](glossary.ipynb#Information-theory) $R$: all the bits divided by $N$, that is, the bits per number on average. A fixed-length code has $R = b$; ideal entropy coding, one by one, has $R = H$. (Channel coding has a rate of its own, which is something else.)
# - the **distortion** $D$: the mean squared error $\mathbb{E}[(x - \hat x)^2]$, averaged over the $N$ numbers.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Say first: the limit asks neither how nor at what cost.

# %% [markdown] slideshow={"slide_type": "notes"}
# Any way of encoding is allowed, and $N$ may be as large as you like. The greatest lower bound of $D$ at a rate of at most $R$ is written $D(R)$. It is called the **rate–distortion function**.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A lower bound for one number
#
# Begin with $N = 1$. By how much does knowing $\hat x$ reduce the uncertainty about $x$? This is the **mutual information**:
#
# $$
# I(x; \hat x) = h(x) - h(x \mid \hat x)
# $$

# %% [markdown] slideshow={"slide_type": "notes"}
# Here $h(x \mid \hat x)$ is the differential entropy of the conditional density of $x$ given $\hat x$, averaged over $\hat x$. Mutual information is symmetric in its two variables, and also equals $H(\hat x) - H(\hat x \mid x)$, so $I(x; \hat x) \le H(\hat x)$. By the last section the mean length is at least the entropy, $H(\hat x) \le R$. Hence

# %% [markdown]
# $$
# R \ge h(x) - h(x \mid \hat x) = h(x) - h(e \mid \hat x) \ge h(x) - h(e) \ge h_{\mathrm G}(\sigma^2) - h_{\mathrm G}(D)
# $$

# %% [markdown] slideshow={"slide_type": "skip"}
# These are three steps, with a reason for each:

# %% [markdown] slideshow={"slide_type": "notes"}
# 1. $h(x \mid \hat x) = h(e \mid \hat x)$. Given $\hat x$, the error $e = x - \hat x$ is $x$ shifted by a constant, and a shift of the density does not change differential entropy.
# 2. $h(e \mid \hat x) \le h(e)$. The difference is the mutual information of $e$ and $\hat x$. It is the Kullback–Leibler divergence of the joint density from the product of the two densities, which by the inequality of the last section is never negative: on average, to know more does not make us less certain.
# 3. $h(e) \le h_{\mathrm G}(D)$. Let $g$ be the Gaussian density of mean 0 and variance $D$. The same inequality gives $h(e) \le -\mathbb{E}[\log_2 g(e)]$. Now $-\log_2 g(e)$ is a constant plus a multiple of $e^2$, so its mean depends only on $\mathbb{E}[e^2] = D$, and equals $h_{\mathrm G}(D)$. Finally $x$ is Gaussian, $h(x) = h_{\mathrm G}(\sigma^2)$.

# %% [markdown]
# Insert $h_{\mathrm G}$, and the constants cancel:
#
# $$
# R \ge \tfrac12 \log_2 \frac{\sigma^2}{D} \qquad (D \le \sigma^2)
# $$

# %% [markdown] slideshow={"slide_type": "skip"}
# How much does each step lose? Let us follow the 8-level Lloyd–Max quantizer through them. The density of its error is $f_e(u) = \sum_i f(y_i + u)$, summed over those $i$ for which $y_i + u$ lies in cell $i$.

# %% slideshow={"slide_type": "skip"}
u = torch.linspace(-6, 6, 120_001, dtype=torch.float64)  # the error, 1e-4 apart
ends = torch.cat([best.levels.new_tensor([-math.inf]), best.thresholds, u.new_tensor([math.inf])])
places = best.levels[:, None] + u  # where x lies if its level is y_i and its error u
inside = (places > ends[:-1, None]) & (places <= ends[1:, None])
f_error = (density(places) * inside).sum(0)
h_error = -torch.special.xlogy(f_error, f_error).sum().item() * 1e-4 / math.log(2)
p_codes = below(ends).diff()
print(f"R, stored bits               {math.log2(8):.3f}")
print(f"H(x_hat) = I(x; x_hat)       {-(p_codes * p_codes.log2()).sum().item():.3f}")
print(f"h(x) - h(e)                  {h_normal - h_error:.3f}")
print(f"1/2 log2(variance / D)       {0.5 * math.log2(1 / best.mse):.3f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# From top to bottom the four numbers decrease, in the order of the derivation.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Many numbers together
#
# Could coding $N$ numbers jointly break this bound? For independent, identically distributed Gaussian numbers it cannot. Let $e_i$ be the error of number $i$, $D_i$ its mean square, $D = \frac1N\sum_i D_i$. The same steps give

# %% [markdown] slideshow={"slide_type": "skip"}
# $$
# N R \ge h(x_1, \dots, x_N) - h(e_1, \dots, e_N \mid \hat x_1, \dots, \hat x_N) \ge \sum_{i=1}^{N} \left[h(x_i) - h(e_i)\right] \ge \sum_{i=1}^{N} \tfrac12 \log_2 \frac{\sigma^2}{D_i} \ge \frac N2 \log_2 \frac{\sigma^2}{D}
# $$

# %% [markdown] slideshow={"slide_type": "notes"}
# The second inequality uses two facts: the $x_i$ are independent, so their joint differential entropy is the sum of the single ones; and the joint differential entropy of the errors is at most the sum of the $h(e_i)$ (point 2 above again). The last is Jensen's inequality: $-\log_2$ is convex, so the function of the mean is at most the mean of the function. Written the other way round:

# %% [markdown]
# $$
# D(R) = \sigma^2\, 2^{-2R}
# $$
#
# [[N15](06_summary.ipynb#All-formulas)]

# %% [markdown]
# We proved that $D$ cannot be less. Shannon proved that as $N \to \infty$ this bound can be approached ([Shannon, 1959](references.ipynb)), which is why there is an equals sign. The conditions are Gaussian, independent and identically distributed. When samples are correlated, data of the same variance can do better; the chord of the last section is an example.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Whoever says 6 dB forgot that half of the values take no additional bits.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### How many decibels for each bit
#
# For independent Gaussian numbers one more bit reduces $D(R)$ to exactly a quarter, that is, by 6.02 dB, and this holds at every rate from $R = 0$ up. A general smooth density has this slope only at high rates.

# %% [markdown]
# **[Predict]** Half of the data are 0, half are Gaussian; we use an evenly spaced mid-tread grid and ideal entropy coding. By how many decibels does the noise fall with one more bit? Is it still 6 dB?

# %%
exercises.predict("zeros-slope")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("step    rate H   noise, dB   dB per bit")
before = None
for step in (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32):
    codes = (half_zeros / step).round().long()
    now = entropy(codes), decibel(power(half_zeros - step * codes))
    slope = f"{(before[1] - now[1]) / (now[0] - before[0]):12.2f}" if before else ""
    print(f"1/{1 / step:<3.0f} {now[0]:8.3f} {now[1]:11.2f} {slope}")
    before = now

# %% [markdown] slideshow={"slide_type": "notes"}
# The finer the step, the closer the slope comes to 12 dB, twice 6 dB. Halving the step lowers the noise by 6.02 dB, but only those numbers that are not 0 need 1 more bit for that. On average this is half a bit.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Even spacing and entropy coding: 1.53 dB away
#
# With a small step, an evenly spaced quantizer has $D = \Delta^2/12$, and its rate is the entropy $H = h - \log_2\Delta$. Eliminate $\Delta$; for the Gaussian this gives
#
# $$
# D = \frac{1}{12}\, 2^{2(h - H)} = \frac{2\pi\mathrm{e}}{12}\, \sigma^2\, 2^{-2H} = \frac{\pi\mathrm{e}}{6} \cdot \sigma^2\, 2^{-2H}
# $$
#
# [[N16](06_summary.ipynb#All-formulas)]

# %% [markdown]
# Only a constant factor separates this from the limit ([Gish & Pierce, 1968](references.ipynb)):
#
# $$
# 10\log_{10}\frac{\pi\mathrm{e}}{6} = 1.53 \ \mathrm{dB}, \qquad \frac12\log_2\frac{\pi\mathrm{e}}{6} = 0.255
# $$

# %% [markdown] slideshow={"slide_type": "notes"}
# The first is the additional noise at the same rate, the second the additional bits at the same noise. The simplest evenly spaced quantizer, followed by entropy coding, is only a quarter of a bit from the theoretical limit.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** The step gets coarser, until the rate is around 1 bit (with the reconstructed values still in the middle of their cells). Is the gap larger than 1.53 dB, the same, or smaller? And as the step gets finer? In the column “centroid” the reconstructed values move from the middle to the centroid: how much does that win back?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask for the direction first: does the gap grow or shrink? Most guess that it grows; then ask what the gap is when nothing is sent at all.

# %%
exercises.predict("entropy-gap")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
def entropy_coded(step):
    """Rate, noise with levels in the middle of their cells, and noise with centroids."""
    codes = (x / step).round().long()
    cell = codes - codes.min()
    centroids = torch.bincount(cell, x.double()) / torch.bincount(cell)
    return entropy(codes), power(x - step * codes), power(x - centroids[cell])


steps = (4.0, 3.0, 2.42, 2.0, 1.5, 1.0, 0.5, 0.25, 0.125, 0.0625)
coded, variance = [entropy_coded(s) for s in steps], power(x)  # of this sample: close to 1
print("step/sigma   rate H   dB above the limit: middle, centroid   bits above (middle)")
for s, (rate, middle, mean) in zip(steps, coded):
    gaps = [decibel(d / gaussian_distortion(rate, variance)) for d in (middle, mean)]
    extra = rate - math.log2(variance / middle) / 2
    print(f"{s:10} {rate:8.3f} {gaps[0]:27.2f} {gaps[1]:10.2f} {extra:21.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# As the step gets finer, the gap settles at 1.53 dB and shrinks no more. As it gets coarser, the column with values in the middle first gets worse, reaching 2.7 dB near 1 bit, and then better again (when the rate goes to 0 nothing is sent, and the gap is of course 0). With centroids the gap never exceeds about 1.53 dB. So **at low rates the reconstructed values must move to the centroids**. Notice also that a Huffman code takes at least 1 bit per symbol, so the rows below 1 bit can be reached only by joint coding.
#
# The remaining 1.53 dB come from the shape of the cells. Quantize $N$ numbers one by one, and look at them together: the error lies in an $N$-dimensional **cube**. A **ball** of the same volume has a smaller mean squared error, by exactly 1.53 dB as $N \to \infty$ ([Zador, 1982; Gersho, 1979](references.ipynb)). To close this gap, many numbers must be quantized together, by **vector quantization**.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### All in one picture
#
# The horizontal axis is the rate. On the left the vertical axis is the noise, on the right the decibels above the limit.
#
# **[Predict]** The optimal evenly spaced quantizer (fixed length), Lloyd–Max (fixed length), even spacing with entropy coding (variable length): in what order are they at 5 bits, from best to worst? Which gaps grow with the rate, and which settle?

# %%
exercises.predict("three-ways")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
widths = range(1, 8)
curves = {
    "even": (widths, [optimal_uniform(2**b, "normal").mse for b in widths]),
    "Lloyd-Max": (widths, [lloyd_max(2**b, "normal").mse for b in widths]),
    "even + H": ([c[0] for c in coded], [c[1] / variance for c in coded]),
    "centroids + H": ([c[0] for c in coded], [c[2] / variance for c in coded]),
}
above = {
    name: [decibel(d / gaussian_distortion(r)) for r, d in zip(*curve)]
    for name, curve in curves.items()
}
print("b       even   Lloyd-Max   (dB above the limit)")
for b, even, free in zip(widths, above["even"], above["Lloyd-Max"]):
    print(f"{b} {even:10.2f} {free:11.2f}")

# %% tags=["predict", "fold"] slideshow={"slide_type": "subslide"}
sheet = Sheet(panels=2, height=3.9)
limit = [gaussian_distortion(r) for r in range(9)]
sheet.frame(0, "rate and distortion", "bits per value", "D / σ²", (0, 8), (1e-5, 2), yscale="log")
sheet.frame(1, "how far from the limit", "bits per value", "dB above D(R)", (0, 8), (-0.3, 8))
sheet.line(0, "limit", range(9), limit, color=INK)
sheet.line(1, "limit", [0, 8], [0, 0], color=INK)
for (name, (r, d)), color in zip(curves.items(), (GREEN, RED, BLUE, PURPLE)):
    sheet.line(0, name, r, d, color=color, marker="o", markersize=4, linewidth=1)
    sheet.line(1, name, r, above[name], color=color, marker="o", markersize=4, linewidth=1)
for name, height in (("4.35 dB", 4.347), ("1.53 dB", 1.533)):
    sheet.line(1, name, [0, 8], [height] * 2, color=GRAY, linestyle="--", linewidth=1)
sheet.legend(1, ncols=3)
ends = ", ".join(f"{name} {v[-1]:.2f} dB" for name, v in above.items())
sheet.show("01b_rate_distortion-curves", ends=ends)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Point at the picture: which curve is nearest to the limit, and which is used most? Why are they not the same?

# %% [markdown] slideshow={"slide_type": "notes"}
# How to read it:
#
# - **Even, fixed length** (even): the gap keeps growing with the rate. A Gaussian has no ends. With each extra bit the best range gets wider, and the step shrinks by less than half.
# - **Lloyd–Max, fixed length**: the gap settles at 4.35 dB, the constant $\sqrt3\,\pi/2$ of section 1 (insert $L = 2^R$). The reconstructed values lie where they should, but every code still takes the same number of bits.
# - **Even, variable length** (even + H): better than the two above at about 2 bits and more, with a gap that settles at 1.53 dB. Nobody has to place reconstructed values with care; saving bits is left to the entropy coder. Near 1 bit, unless the values move to the centroids, it is worse than Lloyd–Max.
# - **Centroids** (centroids + H): the best of these at every rate.

# %% [markdown] slideshow={"slide_type": "skip"}
# All four curves lie above $D(R)$. Not one point crosses the limit.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Think]** If even spacing with entropy coding is best, why are the weights of neural networks hardly ever stored like this?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# In a variable-length code you cannot jump to weight number ten thousand. To start decoding in the middle, and in parallel, the data must be cut into blocks, and the start of each block recorded. Decoding takes time as well, and before any multiplication everything must be turned back into integers of fixed length. It has been done: Deep Compression stores weights with a Huffman code ([Han et al., 2016](references.ipynb)), and DFloat11 stores the exponents of bfloat16 with a Huffman code and decodes them on the GPU as it computes ([Zhang et al., 2025](references.ipynb)). Fixed length is much simpler, though: positions can be calculated, and a whole batch can be read at once.
#
# So the picture does not rank the methods. It says what each simplification costs, in decibels.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# These exercises are for after class. Write your answer first, then run the next cell to check it. If it does not pass, you get the smallest counterexample and hints. An exercise that you have not begun is only reported as unfinished.

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (6 minutes, difficulty 1/3) Write `my_entropy(counts)`: `counts` says how often each symbol occurs (a list, which may contain 0); it returns the entropy, the bits per symbol on average.

# %% slideshow={"slide_type": "skip"}
def my_entropy(counts):
    return ...  # your code; math.log2

# %% slideshow={"slide_type": "skip"}
exercises.check("entropy-of-counts", my_entropy)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_entropy(counts):
#     total = sum(counts)
#     return sum(c / total * math.log2(total / c) for c in counts if c)
# ```
#
# A symbol that does not occur contributes nothing: as $p \to 0$, $p\log_2 p \to 0$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (8 minutes, difficulty 2/3) The code words are A = `0`, B = `10`, C = `110`, D = `111`. Write `my_decode(bits)`: `bits` is a string of 0 and 1; it returns the string of symbols.

# %% slideshow={"slide_type": "skip"}
def my_decode(bits):
    symbols = {"0": "A", "10": "B", "110": "C", "111": "D"}
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("decode-prefix", my_decode)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_decode(bits):
#     symbols = {"0": "A", "10": "B", "110": "C", "111": "D"}
#     found, word = "", ""
#     for bit in bits:
#         word += bit
#         if word in symbols:
#             found, word = found + symbols[word], ""
#     return found
# ```
#
# No code word is the beginning of another, so you can cut as soon as you have one, without separators.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (6 minutes, difficulty 2/3) Write `my_nearest(x, levels)`: `levels` are reconstructed values in increasing order (a tensor, not necessarily evenly spaced); it returns, for each element of `x`, the nearest of them. `torch.bucketize(x, t)` says in which interval between the thresholds `t` each element lies.

# %% slideshow={"slide_type": "skip"}
def my_nearest(x, levels):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("nearest-level", my_nearest)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_nearest(x, levels):
#     thresholds = (levels[1:] + levels[:-1]) / 2
#     return levels[torch.bucketize(x, thresholds)]
# ```
#
# This is the first necessary condition: thresholds lie halfway between neighboring reconstructed values.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (5 minutes, difficulty 1/3) Write `my_gap(rate, mse, variance)`: a Gaussian signal of variance `variance` is stored with `rate` bits per number, and the noise power is `mse`. It returns by how many decibels the noise power exceeds the limit $D(R)$; all three arguments are numbers.

# %% slideshow={"slide_type": "skip"}
def my_gap(rate, mse, variance):
    return ...  # your code; math.log10

# %% slideshow={"slide_type": "skip"}
exercises.check("above-limit", my_gap)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_gap(rate, mse, variance):
#     limit = variance * 2 ** (-2 * rate)
#     return 10 * math.log10(mse / limit)
# ```
#
# The limit is proportional to the power of the signal, and each bit reduces it to a quarter.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Discussion
#
# **[Think]** Even spacing with entropy coding is only 1.53 dB from the limit. Is this 1.53 dB worth pursuing? What would it take?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Discuss for 5 minutes: is 1.53 dB worth going after?

# %% [markdown] slideshow={"slide_type": "skip"}
# How far have you come in the whole course? The next cell shows it:

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# - An optimal scalar quantizer satisfies two necessary conditions: thresholds lie halfway between neighboring reconstructed values, and a reconstructed value is the conditional mean of its cell. If the logarithm of the density is concave, only one quantizer satisfies them; for samples in general, the Lloyd–Max algorithm ($k$-means in one dimension) may stop in a local minimum.
# - If a quantizer satisfies the centroid condition, its error is uncorrelated with the output $\hat x$ and correlated with the input $x$: $\mathbb{E}[x\,e] = \sigma_q^2$.
# - When the zero point is an integer code, the grid is mid-tread, and 0 has no error; a symmetric, evenly spaced grid with an even number of levels is mid-rise.

# %% [markdown] slideshow={"slide_type": "subslide"}
# - With many levels, the best point density is proportional to $f(x)^{1/3}$; for the Gaussian, $D \approx (\sqrt3\,\pi/2)\,\sigma^2/L^2$.
# - A symbol of probability $p$ should take $-\log_2 p$ bits, and the mean of these is the entropy $H$. For codes encoded one by one, the mean length is at least $H$ bits; when samples are correlated, predicting first makes it shorter. A Huffman code takes less than 1 bit more per symbol, but at least 1 bit in all.
# - For independent, identically distributed Gaussian data at a rate of $R$ bits, the mean squared error is at least $D(R) = \sigma^2\,2^{-2R}$.
# - At high rates, even spacing with entropy coding is 1.53 dB from this limit, or 0.255 bits; fixed-length Lloyd–Max is 4.35 dB from it. At rates around 1 bit the reconstructed values must move to the centroids.

# %% [markdown] slideshow={"slide_type": "skip"}
# Next: [Quantization schemes](02_schemes.ipynb). Which integers there are, and how numbers of 4 bits go into bytes.
