# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # Information theory: what quantization throws away, and what that costs
#
# A model has to go onto a phone, and a colleague asks: if the weights go from 32 bits to 8, how large is the error? And to 4? Engineers usually quote two results. The quantization noise power is $\Delta^2/12$, and each extra bit raises the signal-to-noise ratio by about 6 dB. Both are very useful. Both have conditions, which are usually left out.
#
# In this chapter we first look at what quantization throws away, and listen to it. Then we derive the two results and check them on data. Finally we find out when they fail, and what to do then.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask first: from 32 bits to 8, by how much does the file shrink, and by how much does the result suffer? Everybody can answer the first; the second takes the whole chapter.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **After this chapter you can:**
#
# - compute how many bytes a layer of weights takes in 8 and in 4 bits, and say why fewer bytes may be faster and why they need not be;
# - derive $\Delta^2/12$, write down the conditions under which it holds, and give three cases in which it does not;
# - say what dither and stochastic rounding buy and what they cost, and estimate how large the sum of many errors is;
# - derive “6.02 dB per bit”, and give the constant for a uniform distribution, a full-scale sine, and a Gaussian;
# - choose the best range for Gaussian data between clipping and resolution.

# %% [markdown] slideshow={"slide_type": "skip"}
# | section | time |
# |:--|:--|
# | 1 Why quantize | 20 minutes |
# | 2 Quantization noise power | 35 minutes |
# | 3 The signal-to-quantization-noise ratio | 15 minutes |
# | 4 Clipping and resolution | 16 minutes |
# | Exercises | 24 minutes |
# | Summary | 4 minutes |
# | ★ optional | 5 minutes |
#
# There is a survey of the field ([Gray & Neuhoff, 1998](references.ipynb)) and a book on the details of quantization noise ([Widrow & Kollár, 2008](references.ipynb)).

# %% slideshow={"slide_type": "skip"}
import math

import torch
from torch.utils.benchmark import Timer

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import exercises, explore, noise_power, optimal_uniform, pack_int4, samples, sqnr_db
from quantcore import unpack_int4  # noqa: F401
from quantcore.calibration import clipping_noise
from quantcore.sheet import BLUE, PURPLE, RED, Sheet

device = "cuda" if torch.cuda.is_available() else "cpu"

# %% slideshow={"slide_type": "skip"}
explore.set_language("en")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 Why quantize
#
# ### Look and listen
#
# Quantization approximates continuous numbers by finitely many discrete values. In general this cannot be undone, so it is **lossy compression**. What is lost? Let us use our eyes and ears first, and calculate afterwards.
#
# Here is a photograph. $b$ is the bit width, and each color component has only $2^b$ **levels** to choose from.

# %% [markdown]
# **[Try]** Begin with 3 bits:
#
# 1. Raise the bit width step by step. At how many bits do you stop seeing a difference? Which recovers last, the sky or the roof?
# 2. [**Dither**](glossary.ipynb#Information-theory) is a little random noise that is added before quantization and subtracted afterwards. Tick it: does the mean squared error grow, shrink, or stay about the same? And what do you see?

# %% slideshow={"slide_type": "subslide"}
explore.photo(samples.photograph(), bits=3)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let everybody write down first at how many bits no difference is seen. Most write 6 to 7. Drag down, and stop when bands appear in the sky: why the sky?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 1. The number of bits varies from person to person; the sky recovers last. Its brightness changes slowly, so one level covers a large area, and **bands** appear. The roof is full of detail in which an error is hard to see. This is **visual masking**.
# 2. Except at 1 bit, the PSNR below the figure (the peak signal-to-noise ratio: the square of the largest possible value over the mean squared error) hardly changes. Even so, the bands are gone, and an even grain has taken their place. Look at the error on the right: without dither you can still make out the photograph in it, with dither only grain is left.
#
# The **size** of the error has not changed. What has changed is its **relation to the signal**. Section 2 works this out.
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# With sound it is the same. Here is a major triad that fades away. On the right are the spectra of the chord and of the error, that is, how strong each frequency is.
#
# **[Try]** Without dither, listen to 8 bits, then to 3 and 2, and pay attention to the end. What do you hear once the sound is weaker than one step? Then switch dither on and listen again.

# %% slideshow={"slide_type": "subslide"}
explore.chord(bits=3)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Play 8 bits, then 3, then dither. Ask which is noisier and which sounds worse. The two answers differ, which is what the section on dither is about.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# At few bits the end does not fade: it turns into a hum that does not get quieter. The levels are evenly spaced from $-1$ to $1$, an even number of them, so 0 is not among them. However weak the sound, it must jump to $\pm\Delta/2$ ($\Delta$ is the step), and becomes a square wave between two values. On the right the spectrum of the error consists of lines. Some lie on the three frequencies of the chord itself, so the error is correlated with the signal; the others are frequencies that the chord never had.
#
# With dither the lines disappear, and the chord fades again. The price is an even hiss.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Bytes
#
# What we get in return is, first of all, fewer bytes. In general, $N$ numbers of $b$ bits, closely packed, take
#
# $$
# \frac{N\,b}{8}\ \text{B}
# $$
# [[N1](06_summary.ipynb#All-formulas)]
#
# where B stands for bytes. A linear layer of $4096 \times 4096$ is common in large language models, so we take that as the example.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** How many MiB do the weights of this layer take as float32, as int8 and as int4? (1 MiB is $2^{20}$ bytes.)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# The usual mistake is to compute MB, with the 6th power of 10, and to confuse it with MiB. Write down the unit before you compute.

# %%
exercises.predict("layer-mib")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# There are $2^{12} \cdot 2^{12} = 2^{24}$ weights. Each takes 4 bytes, 1 byte or half a byte, so they take 64, 16 and 8 MiB. After quantization a scale must be stored, too; one for the whole layer adds only 4 bytes, which we may neglect.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# The next cell computes this by the formula, and then measures the memory that the tensors really take. torch has no 4-bit type for ordinary arithmetic (`torch.int4` is a placeholder, and still takes a byte for each element), so `pack_int4` has to **pack** the int4 codes two to a byte. Without packing, int4 is as large as int8.

# %% slideshow={"slide_type": "fragment"}
def layer():
    """Its weights in float32, and their codes of 8 and of 4 bits."""
    w = torch.randn(4096, 4096, generator=torch.Generator().manual_seed(0)).to(device)
    params = (QuantizationParams.from_tensor(w, QuantizationScheme.from_bits(b)) for b in (8, 4))
    return w, *(UniformQuantizer(p).quantize(w) for p in params)


def sizes(w, q8, q4):
    print("storage   bytes predicted   bytes measured")
    for name, t, b in ("float32", w, 32), ("int8", q8, 8), ("int4", pack_int4(q4), 4):
        print(f"{name:7} {w.numel() * b // 8:17,} {t.nbytes:16,}")
    print(f"int4, not packed {q4.nbytes:24,}")


sizes(*layer())  # no name keeps the layer, so its memory is free again

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Are fewer bytes always faster
#
# When this layer multiplies one vector, each weight is used once: one multiplication and one addition, 2 operations. The number of operations for each byte that is read is the **arithmetic intensity** ([Williams et al., 2009](references.ipynb)). A float32 weight has 4 bytes, so the intensity is only 0.5 operations per byte. In the time that it takes to read one byte, a processor could do far more operations. Most of the time is spent waiting for memory, so **the number of bytes moved roughly decides the time**. A language model that writes one text at a time (batch size 1) is exactly this case: for every token it reads such weights from memory once.
#
# With 32 vectors at once (batch size 32) it is different. The weights are still read once, and each is used 32 times, so the intensity of float32 rises to 16. Now multiplication can become the main work, and then bytes alone no longer decide the time.
#
# The next cell times four ways, for 1 and for 32 vectors (way 4 only for 32):
#
# 1. multiply by the float32 weights;
# 2. dequantize the int8 codes to float32, then multiply;
# 3. **unpack** the packed int4 codes, dequantize, then multiply;
# 4. multiply int8 by int8, and accumulate in int32.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def milliseconds(stmt, **tensors):
    timer = Timer(stmt, globals=globals() | tensors, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=0.2).median * 1e3


def intensity(t, vectors):
    return 2 * 4096**2 * vectors / t.nbytes


def times(what, stmt, t):
    print(f"{what:17} {intensity(t, 1):9.1f} {intensity(t, 32):9.1f}", end="")
    for n in (1, 32):
        print(f"{milliseconds(stmt, t=t, v=torch.randn(4096, n, device=device)):13.2f}", end="")
    print()

# %% tags=["fold", "nbval-ignore-output"] slideshow={"slide_type": "skip"}
# Times belong to the machine, so this output is not compared.
print("                    operations per byte            time, ms")
print("vectors                   1        32            1           32")
w, q8, q4 = layer()
q4 = pack_int4(q4)
times("1 float32 weights", "t @ v", w)
del w  # nothing below needs it
times("2 int8 -> float32", "t.float().mul_(0.04) @ v", q8)
times("3 int4 -> float32", "unpack_int4(t, (4096, 4096)).float().mul_(0.04) @ v", q4)
del q4
codes = torch.ones(32, 4096, dtype=torch.int8, device=device)
ms = milliseconds("torch._int_mm(v, t.T)", t=q8, v=codes)
print(f"4 int8 arithmetic {'-':>9} {intensity(q8, 32):9.1f} {'-':>12} {ms:12.2f}")
del q8

# %% [markdown] slideshow={"slide_type": "skip"}
# Ways 2 and 3 start from fewer bytes, and yet are usually **slower** than way 1, with way 3 the slowest. They first write a float32 copy of the weights to memory, and then do the same float multiplication. A real inference engine uses **kernel fusion**: the codes are unpacked and dequantized after they have been read into registers, and multiplied right there. The float32 weights never go back to memory. Only then do fewer bytes really save time.
#
# Way 4 uses torch's internal integer product, `torch._int_mm`. Whether it is fast depends on whether the machine has multiply-add instructions for 8-bit integers. The time does not include quantizing the input vectors, nor multiplying each output by a scale, so the comparison favors it a little.
#
# Research on quantization often does something else, **fake quantization** ([Jacob et al., 2018](references.ipynb)): the weights stay float32 all the time, are rounded to levels only when they are used, and everything is computed in floats. Not even bytes are saved. Fake quantization can judge accuracy. It cannot judge speed. Most experiments in this course use fake quantization.
#
# So the conclusion has two parts. Fewer bytes are certain. How much time they save must be measured on the target machine, with a real engine.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 Quantization noise power
#
# ### Derivation
#
# The [**step**](glossary.ipynb#Parameters) $\Delta$ is the distance between two neighboring reconstructed values. $x$ is rounded to the nearest reconstructed value $\hat x$. As long as $x$ is not beyond the outermost ones, the error $e = x - \hat x$ satisfies $-\Delta/2 \le e \le \Delta/2$. **Assume** that $e$ is uniform on this interval, with density $1/\Delta$. Then $\mathbb{E}[e] = 0$, and

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# On the board: draw one stair, mark Δ, and let students say in which interval the error lies.

# %% [markdown] slideshow={"slide_type": "subslide"}
# $$
# \sigma_q^2 = \mathbb{E}[e^2] = \int_{-\Delta/2}^{\Delta/2} \frac{e^2}{\Delta}\, \mathrm{d}e
# = \frac{1}{\Delta} \cdot \frac{2}{3} \left(\frac{\Delta}{2}\right)^3 = \frac{\Delta^2}{12}
# $$
# [[N2](06_summary.ipynb#All-formulas)]
#
# $\sigma_q^2$ is the [**quantization noise power**](glossary.ipynb#Information-theory) ([Bennett, 1948](references.ipynb)). The distribution of $x$ does not appear in the derivation. All of it hides in the word “assume”.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let a student do the integral on the board; it has two lines.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let us write the simplest quantizer of all. Its reconstructed values are all the integer multiples of $\Delta$. It has no range, so there is no **clipping** (replacing a value beyond the range by the outermost reconstructed value; also called saturation or limiting). We take a million numbers from each of three distributions, and compare it with the INT8 quantizer of `quantcore`.

# %% slideshow={"slide_type": "skip"}
def nearest(x, step):
    """The nearest multiple of the step."""
    return step * torch.round(x / step)


def power(e):
    return e.double().square().mean().item()


# %% slideshow={"slide_type": "fragment"}
sources = ("uniform", "normal", "laplace")
data = {source: samples.distribution(source, 10**6).to(device) for source in sources}
print("source      step   predicted    measured   the same as nearest(x, step)")
for name, x in data.items():
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, QuantizationScheme.INT8))
    x_hat, step = quantizer(x), quantizer.params.scale.item()
    same = torch.equal(x_hat, nearest(x, step))
    print(f"{name:7} {step:8.4f} {noise_power(step):11.3e} {power(x - x_hat):11.3e}   {same}")

# %% [markdown] slideshow={"slide_type": "notes"}
# The three distributions are very different, and at 8 bits the formula is accurate for all three. Now drag the bit width down.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Try]** The middle panel is the distribution of the error divided by the step; at 8 bits it is flat. Predict first: at 3 bits, at 2 bits, is it still flat? And when you untick “symmetric”?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Predict: at 2 bits, is the histogram in the middle still a box? Answer first, then drag.

# %%
explore.quantization(samples.distribution("normal"), bits=8, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# At 3 bits it is still flat. With “symmetric” ticked and 2 bits, the flat top becomes high in the middle and low at the sides. The step is so wide that most of the data are rounded to 0. There the error is the data itself, and the assumption fails.
#
# Without “symmetric” the step is only a little more than a third smaller, and yet the histogram is nearly flat again.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### First failure: a step that is too large
#
# How wide is too wide?
#
# **[Predict]** $\Delta = \sigma$ ($\sigma$ is the standard deviation) is a very coarse step: within $\pm 3\sigma$ of a Gaussian there are only 7 levels. Is $\Delta^2/12$ wrong by 10%, by 1%, or by much less than 1%? And for a Laplace distribution of the same standard deviation?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Most think that the formula has failed long before the step reaches the standard deviation. In fact it is still very accurate there.

# %%
exercises.predict("coarse-step")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("step/sigma   step^2/12        normal               laplace")
for step in (0.5, 1.0, 2.0, 3.0, 4.0):
    print(f"{step:10} {noise_power(step):11.4f}", end="")
    for name in ("normal", "laplace"):
        x = data[name]
        measured = power(x - nearest(x, step))
        print(f"{measured:11.4f} ({measured / noise_power(step) - 1:+6.1%})", end="")
    print()

# %% [markdown] slideshow={"slide_type": "notes"}
# The parentheses show by how many percent the measured value is above or below $\Delta^2/12$; the sampling error is about 0.1%.

# %% [markdown] slideshow={"slide_type": "notes"}
# For the Gaussian no difference is visible yet at $\Delta = \sigma$, and only at $\Delta = 3\sigma$ is the formula clearly too large. $\Delta^2/12$ goes further than people usually think. The Gaussian is smooth. The Laplace density has a corner at 0, and for the same step the formula is already off by several percent. At few bits, then, the accuracy of $\Delta^2/12$ depends on the shape of the data.

# %% [markdown] slideshow={"slide_type": "skip"}
# The usual sufficient conditions are: a smooth density, a step that is small enough, and no clipping ([Bennett, 1948](references.ipynb)).
#
# ### How much a large step changes ★
#
# This part uses Fourier series and can be skipped. Its result: besides $\Delta^2/12$ there is a series of corrections that can be computed, and the smoother the density, the faster they vanish as $\Delta$ gets small.
#
# The reconstructed values are still the integer multiples of $\Delta$, without clipping. Then $e^2$ is a periodic function of $x$ with period $\Delta$, equal to $x^2$ on $[-\Delta/2, \Delta/2]$. It is even, its mean over a period is $\Delta^2/12$, and integrating by parts twice gives its cosine coefficients:
#
# $$
# a_k = \frac{2}{\Delta} \int_{-\Delta/2}^{\Delta/2} x^2 \cos\frac{2\pi k x}{\Delta}\, \mathrm{d}x
# = \frac{2}{\Delta} \cdot 2\Delta \left(\frac{\Delta}{2\pi k}\right)^2 \cos \pi k = \frac{\Delta^2}{\pi^2} \cdot \frac{(-1)^k}{k^2}
# $$
#
# Write the series $e^2 = \Delta^2/12 + \sum_k a_k \cos(2\pi k x/\Delta)$, and take expectations on both sides:
#
# $$
# \sigma_q^2 = \frac{\Delta^2}{12} + \frac{\Delta^2}{\pi^2} \sum_{k=1}^{\infty} \frac{(-1)^k}{k^2}\, \varphi\!\left(\frac{2\pi k}{\Delta}\right),
# \qquad \varphi(u) = \mathbb{E}[\cos(u x)]
# $$
# [[N3](06_summary.ipynb#All-formulas)]
#
# For a distribution symmetric about 0, $\varphi$ is the **characteristic function**. For the Gaussian, $x f(x) = -\sigma^2 f'(x)$ and integration by parts give $\varphi'(u) = -\sigma^2 u\, \varphi(u)$, so $\varphi(u) = \mathrm{e}^{-\sigma^2 u^2/2}$. For the Laplace distribution direct integration gives $\varphi(u) = 1/(1 + \sigma^2 u^2/2)$. The former decays extremely fast, the latter only like $1/u^2$. This explains the difference between the two columns of the table above.
#
# Two conditions must be kept apart:
#
# - $\sigma_q^2 = \Delta^2/12$ if and only if the sum above is 0.
# - $e$ is exactly uniform if and only if $\mathbb{E}[\cos(2\pi k x/\Delta)]$ and $\mathbb{E}[\sin(2\pi k x/\Delta)]$ are 0 for every $k \ge 1$ ([Sripad & Snyder, 1977](references.ipynb)). The reason is that $e$ and $x$ differ by an integer multiple of $\Delta$, so replacing $x$ by $e$ does not change these expectations. They are the Fourier coefficients of the density of $e$; if all of them are 0, only a constant is left.
#
# The second implies the first, but not the other way around: if $x$ takes only the values $k\Delta \pm \Delta/\sqrt{12}$, the noise power is exactly $\Delta^2/12$, and the error has just two values.

# %% slideshow={"slide_type": "skip"}
def phi(name, u):
    return torch.exp(-(u**2) / 2) if name == "normal" else 1 / (1 + u**2 / 2)


k = torch.arange(1, 1000, dtype=torch.float64)
print("relative to step^2/12:    normal                 laplace")
print("step/sigma         predicted   measured   predicted   measured")
for step in (0.5, 1.0, 2.0, 3.0, 4.0):
    print(f"{step:10}        ", end="")
    for name in ("normal", "laplace"):
        x = data[name]
        series = 12 / math.pi**2 * ((-1) ** k / k**2 * phi(name, 2 * math.pi * k / step)).sum()
        measured = power(x - nearest(x, step)) / noise_power(step) - 1
        print(f"{series:+10.1e} {measured:+10.4f}", end="   ")
    print()

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Second failure: a signal that sits on the grid
#
# The integer multiples of $\Delta$ form a grid. If the values of the signal are not well spread within a step, the formula fails however small the step is.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** For the following five signals, what is the noise power as a multiple of $\Delta^2/12$? The first four have $\Delta = 1/8$.
#
# 1. A Gaussian;
# 2. a Gaussian after ReLU, with the negative values set to 0;
# 3. a Gaussian that has already been quantized with the same step;
# 4. number 3, plus $\Delta/2$;
# 5. the photograph from above, with the step of 8 bits, $\Delta = 1/255$. Pixels were $k/255$ originally; on loading, 4 of them are averaged into one, which gives $k/1020$ ($k$ is an integer). Suppose that the four remainders of $k$ divided by 4 are equally frequent.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Vote row by row. The most disputed row is the fourth, the grid points shifted by half a step; leave it to whoever can give a reason.

# %%
exercises.predict("between-noise")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 1. 1 times.
# 2. 0.5 times. Half of the values are exactly 0 and have no error; the other half have the same error as before. This is what activations after a ReLU look like.
# 3. 0 times. All values lie on the grid.
# 4. 3 times. Each error is $\pm\Delta/2$, with power $\Delta^2/4$.
# 5. 1.125 times. The error can only be $0$, $\pm\tfrac14\Delta$ or $\pm\tfrac12\Delta$, and its mean square is $\tfrac14\left(0 + \tfrac1{16} + \tfrac14 + \tfrac1{16}\right)\Delta^2 = \tfrac{3}{32}\Delta^2$.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
normal, photo = data["normal"], samples.photograph().flatten().to(device)
eighths = nearest(normal, 1 / 8)
cases = {"1 normal": (normal, 1 / 8, 1), "2 relu": (normal.clamp_min(0), 1 / 8, 1 / 2)}
cases |= {"3 on the grid": (eighths, 1 / 8, 0), "4 between": (eighths + 1 / 16, 1 / 8, 3)}
cases |= {"5 photo": (photo, 1 / 255, 1.125)}
print("source          predicted   measured   (times step^2/12)")
for name, (x, step, ratio) in cases.items():
    measured = power(x - nearest(x, step)) / noise_power(step)
    print(f"{name:13} {ratio:11.3f} {measured:10.3f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Third failure: a signal beyond the range
#
# A real quantizer has only finitely many levels. When $x$ lies beyond the outermost reconstructed value it is clipped, and $e$ is no longer confined to $\pm\Delta/2$: it can be arbitrarily large. Below, the range stays at $\pm2\sigma$, and only the bit width grows:

# %% slideshow={"slide_type": "fragment"}
print("b   step^2/12    measured")
for b in (4, 6, 8):
    step = 2 / (2 ** (b - 1) - 1)
    x_hat = nearest(normal.clamp(-2, 2), step)
    print(f"{b}   {noise_power(step):9.2e} {power(normal - x_hat):11.2e}")

# %% [markdown] slideshow={"slide_type": "notes"}
# By the formula the noise should keep falling. The measured noise levels off, because what is left is the error of the values beyond the range. Section 4 computes it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ### The other assumption: an error independent of the signal
#
# Engineers often write quantization as $\hat x = x - e$, and treat $e$ as noise that is independent of $x$. This is the **additive noise model**. It is a different assumption from that of $\Delta^2/12$: $\Delta^2/12$ needs $e$ to be uniform, and does not need independence.
#
# **[Think]** Are the error and the signal independent?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask: if you quantize the same x twice, does the error change? So the error is a function of x, and nothing about it is random.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# No. $e = x - \hat x$, and $\hat x$ is determined by $x$, so when you know $x$ you know $e$ completely. Only an error that is constant (always 0, for instance) could be independent.
#
# With a small step and a smooth density, $e$ and $x$ are approximately **uncorrelated**, and many calculations need no more than that. Uncorrelated does not mean independent, though, and with a larger step even “uncorrelated” fails. The outlines in the error of the photograph, and the lines on the three frequencies of the chord, show an error that is correlated with the signal.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The remedy: subtractive dither
#
# Take a random number $d$, uniform on $[-\Delta/2, \Delta/2]$ and independent of $x$. Write $Q$ for rounding to the nearest reconstructed value. Add $d$ before quantization, and subtract it afterwards:
#
# $$
# \hat x = Q(x + d) - d
# $$
# [[N10](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# Now the error is $e = x - \hat x = (x + d) - Q(x + d)$, the deviation of $x + d$ from the nearest point of the grid. Hold $x$ fixed. Then $x + d$ is uniform on an interval of length $\Delta$, which is exactly one full period of the grid, so the deviation is uniform on $[-\Delta/2, \Delta/2]$. A different $x$ changes nothing. Hence **for any signal** $e$ is uniform and independent of $x$, and $\sigma_q^2 = \Delta^2/12$ holds exactly ([Roberts, 1962](references.ipynb); [Schuchman, 1964](references.ipynb)).

# %% [markdown]
# The assumption has become a theorem. This is **subtractive dither**. The encoder and the decoder must know the same sequence $d$, and nothing may be clipped.

# %% [markdown] slideshow={"slide_type": "skip"}
# If both assumptions hold, then for each of the five signals below the ratio of the noise power to $\Delta^2/12$ should be 1, and the correlation of error and signal 0.

# %% slideshow={"slide_type": "skip"}
def uniform(x):
    """One random number in [0, 1) for each value, the same every time."""
    return torch.rand(x.shape, generator=torch.Generator().manual_seed(1)).to(x.device)


def subtractive(x, step):
    d = step * (uniform(x) - 0.5)
    return nearest(x + d, step) - d


def correlation(x, e):
    return torch.corrcoef(torch.stack([x.double(), e.double()]))[0, 1].item()


# %% slideshow={"slide_type": "fragment"}
chord = samples.chord().to(device)
dithered = {"normal, 3 sigma": (normal, 3.0), "relu": (normal.clamp_min(0), 1 / 8)}
dithered |= {"between": (eighths + 1 / 16, 1 / 8)}
dithered |= {"chord, 2 bits": (chord, 2 / 3), "photo, 1 bit": (photo, 1.0)}
print("                  without dither           with dither")
print("source            power   correlation      power   correlation")
print(f"predicted         {1:5.2f} {0:13.2f} {1:10.2f} {0:13.2f}")
for name, (x, step) in dithered.items():
    print(f"{name:17}", end="")
    for e in (x - nearest(x, step), x - subtractive(x, step)):
        print(f"{power(e) / noise_power(step):6.2f} {correlation(x, e):z13.2f}", end="     ")
    print()

# %% [markdown] slideshow={"slide_type": "notes"}
# Without dither the power is wrong in all five rows, the correlation in three: for `relu` and `between` the error is hardly correlated with the signal, and the power is wrong all the same. These really are two different assumptions. With dither we get 1 and 0, within sampling error.
#
# Dither is not there to reduce noise. In four of the five rows the noise has grown. What it buys is noise whose size can be predicted, and which has nothing to do with the signal.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### How strong the lines in the chord are ★
#
# This part uses the discrete Fourier transform and can be skipped. Its result: without dither much of the energy of the error is concentrated on the three frequencies of the chord. With dither the energy is spread evenly over all frequencies, and the neighborhood of the three ($\pm 6$ Hz each) has only about its share.

# %% slideshow={"slide_type": "skip"}
def share_on_notes(e):
    """Part of the energy within 6 Hz of the chord's three notes, of 8000 Hz in all."""
    window = torch.hann_window(len(e), dtype=torch.float64, device=e.device)
    energy = torch.fft.rfft(e.double() * window).abs().square()
    hertz = torch.fft.rfftfreq(len(e), 1 / 16_000, device=e.device)
    near = sum((hertz - note).abs() <= 6 for note in (261.63, 329.63, 392.00)) > 0
    return (energy[near].sum() / energy.sum()).item()


print(f"predicted for white noise {3 * 12 / 8000:8.2%}")
for b in (2, 3):
    step = 2 / (2**b - 1)
    e = chord - (nearest(chord - step / 2, step) + step / 2)  # no level at 0, as in the figure
    print(f"{b} bits, without dither {share_on_notes(e):12.2%}")
    print(f"{b} bits, with dither {share_on_notes(chord - subtractive(chord, step)):15.2%}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Not subtracting: stochastic rounding
#
# To subtract $d$, the decoder must know $d$. If it is not subtracted, $\hat x = Q(x + d)$ is **non-subtractive dither**. The result still lies on the grid and can be stored as an integer, so this is the kind that low-precision training uses.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Most say that the mean is x, so nothing is lost. Ask about the variance.

# %% [markdown] slideshow={"slide_type": "notes"}
# Let $x = (m + r)\,\Delta$ with an integer $m$ and $0 \le r < 1$. The probability that $x + d$ exceeds $(m + \tfrac12)\Delta$ is $r$. So $\hat x$ is $(m + 1)\Delta$ with probability $r$, and $m\Delta$ with probability $1 - r$. The nearer side is the more probable one. This is also called [**stochastic rounding**](glossary.ipynb#Quantizers-and-integer-arithmetic) ([Gupta et al., 2015](references.ipynb)).

# %% [markdown]
# **[Compute]** For fixed $x$, find $\mathbb{E}[\hat x]$ and $\mathbb{E}[e^2]$. Then let $r$ be uniform on $[0, 1)$, and find the mean noise power.

# %%
exercises.predict("stochastic-noise")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The mean is $(1 - r)\,m\Delta + r\,(m + 1)\Delta = x$. So stochastic rounding is unbiased for **every** $x$. Rounding to nearest cannot do this: for a fixed $x$ its error is fixed.
#
# The error is $r\Delta$ with probability $1 - r$, and $-(1 - r)\Delta$ with probability $r$, so
#
# $$
# \mathbb{E}[e^2 \mid x] = (1 - r)\,r^2\Delta^2 + r\,(1 - r)^2\Delta^2 = r\,(1 - r)\,\Delta^2
# $$
#
# It is 0 on the grid and $\Delta^2/4$ halfway between two points. It changes with $x$, so the error is no longer independent of $x$. Averaging over $r$:
#
# $$
# \int_0^1 r\,(1 - r)\,\mathrm{d}r \cdot \Delta^2 = \frac{\Delta^2}{6} = 2 \cdot \frac{\Delta^2}{12}
# $$
# [[N17](06_summary.ipynb#All-formulas)]
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# The code is one line: add a random number that is uniform on $[0, 1)$, then round down.

# %% slideshow={"slide_type": "skip"}
def stochastic(x, step):
    """Up with the probability r, down with 1 - r."""
    return step * torch.floor(x / step + uniform(x))


# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("            mean of x_hat            power, times step^2/12")
print("x/step   predicted   measured        predicted   measured")
for r in (0.0, 0.1, 0.5, 0.9):
    x_hat = stochastic(torch.full((10**6,), r, device=device), 1.0)
    print(f"{r:6} {r:11.3f} {x_hat.mean().item():10.3f}", end="")
    print(f"{12 * r * (1 - r):17.3f} {12 * power(r - x_hat):10.3f}")
e = normal - stochastic(normal, 1 / 8)
print(f"normal {0:11.3f} {e.mean().item():z10.3f} (of e)", end="")
print(f"{2:10.3f} {power(e) / noise_power(1 / 8):10.3f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Sums of errors: bias and noise
#
# Why should being unbiased be worth twice the noise power? Because in a network, numbers are added by the thousands. Let $N$ errors be independent, each with the mean $\mu$ (the **bias**) and the standard deviation $\sigma_e$. The root mean square of their sum is
#
# $$
# \sqrt{(N\mu)^2 + N\sigma_e^2}
# $$
# [[N18](06_summary.ipynb#All-formulas)]
#
# Noise goes both ways and mostly cancels, so it grows only like $\sqrt N$. Bias does not cancel and grows like $N$. For $N$ large enough, even the smallest bias overtakes the noise.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Take $\Delta = 1$. In the following four cases, about how large is the sum of $10^4$ errors? Which one is smallest?
#
# 1. Gaussian, rounded to the nearest integer;
# 2. Gaussian, always rounded down;
# 3. each number is 0.1, rounded to the nearest integer;
# 4. each number is 0.1, rounded stochastically.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Orders of magnitude first: in a sum of ten thousand terms, is the error a few, a few dozen, or a few thousand?

# %%
exercises.predict("tenths-sum")

# %% tags=["predict"] slideshow={"slide_type": "skip"}
def down(x, step):
    return step * torch.floor(x / step)


values = samples.distribution("normal", 2 * 10**6).to(device)
tenths = torch.tensor(0.1, device=device).expand_as(values)
sums = {  # the values, their rounding, and the mean and standard deviation of one error
    "1 normal, nearest": (values, nearest, 0, 12**-0.5),
    "2 normal, down": (values, down, 0.5, 12**-0.5),
    "3 tenths, nearest": (tenths, nearest, 0.1, 0),
    "4 tenths, stochastic": (tenths, stochastic, 0, 0.3),
}

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
counts = (1, 100, 10_000)
print("rms of the sum of    " + "".join(f"{f'{n} terms':>21}" for n in counts))
print(f"{'':21}" + "  predicted  measured" * 3)
for name, (x, rounded, mean, deviation) in sums.items():
    e = x - rounded(x, 1.0)
    print(f"{name:21}", end="")
    for n in counts:
        predicted = math.hypot(n * mean, n**0.5 * deviation)
        measured = power(e.view(-1, n).sum(1, dtype=torch.float64)) ** 0.5
        print(f"{predicted:11.2f} {measured:9.2f}", end="")
    print()

# %% [markdown] slideshow={"slide_type": "notes"}
# With 100 times as many terms, cases 1 and 4 become only 10 times as large, cases 2 and 3 about 100 times. (Each uses two million errors; groups of $10^4$ leave only 200 groups, so the measured values have a sampling error of several percent.) Cases 3 and 4 are about training. When each update is smaller than half a step, rounding to nearest throws all of it away, and ten thousand updates move nothing. With stochastic rounding only one update in ten moves anything, and yet the average is exactly right.

# %% [markdown] slideshow={"slide_type": "notes"}
# Rounding is not the only source of bias. Clipping at one end only, or a grid that is not symmetric (the codes $-8 \dots 7$, for example), can also give errors whose mean is not 0. In [The uniform quantizer](04_quantizer.ipynb) the rule for rounding halves brings in a bias as well.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 The signal-to-quantization-noise ratio
#
# ### Definition
#
# Whether noise is large or small depends on the signal. The [**signal-to-quantization-noise ratio**](glossary.ipynb#Information-theory) (SQNR) is the **power** of the signal over the **power** of the noise, in decibels (dB):
#
# $$
# \mathrm{SQNR} = 10 \log_{10} \frac{\mathbb{E}[x^2]}{\sigma_q^2} \ \mathrm{dB}
# $$
# [[N4](06_summary.ipynb#All-formulas)]
#
# Power is the square of amplitude, so with a ratio of amplitudes (root mean squares) the factor is 20, and the result is the same.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Let $\hat x = 0.9\,x$: the amplitude of the error is a tenth of the signal's. Is the SQNR 10, 20, 40, or $-20$ dB? Answer before you look at the code below, which has four ways to write it. One is right, three are common mistakes.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Whoever guesses 10 dB forgot the square.

# %%
exercises.predict("tenth-error")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
e = normal - 0.9 * normal
ratio = power(normal) / power(e)
print(f"10 log10 of the power ratio       {10 * math.log10(ratio):6.2f}")
print(f"20 log10 of the power ratio       {20 * math.log10(ratio):6.2f}   wrong: squares twice")
print(f"10 log10 of the amplitude ratio   {10 * math.log10(ratio**0.5):6.2f}   wrong: no square")
print(f"10 log10 of noise over signal     {10 * math.log10(1 / ratio):6.2f}   wrong: upside down")
print(f"sqnr_db                           {sqnr_db(normal, 0.9 * normal):6.2f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### About 6 decibels for each bit
#
# Let $2^b$ intervals of equal width, the cells, fill $[-A, A]$, each with its reconstructed value in the middle. The step is $\Delta = 2A/2^b$. The signal has mean 0 and standard deviation $\sigma$. Write $\Gamma = A/\sigma$ for the **loading factor** (no relation to that of hash tables): half the range, in standard deviations. Substitute $\Delta^2/12$:
#
# $$
# \frac{\sigma^2}{\sigma_q^2} = \frac{12\,\sigma^2}{\Delta^2} = \frac{12\,\sigma^2 \cdot 4^b}{4A^2} = \frac{3 \cdot 4^b}{\Gamma^2}
# $$

# %% [markdown] slideshow={"slide_type": "subslide"}
# Take logarithms:
#
# $$
# \mathrm{SQNR} = 6.02\,b + 4.77 - 20\log_{10}\Gamma \ \mathrm{dB}
# $$
# [[N5](06_summary.ipynb#All-formulas)]
#
# 6.02 is $10\log_{10}4$: one more bit halves the step and leaves a quarter of the noise power. 4.77 is $10\log_{10}3$. Only the last term depends on the signal.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** What is the constant, $4.77 - 20\log_{10}\Gamma$, for these three signals?
#
# 1. A uniform distribution that fills $[-A, A]$;
# 2. a full-scale sine, with amplitude $A$;
# 3. a Gaussian, with $A = 4\sigma$.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Remember that the constant of the Gaussian is negative. The number in a manual is that of a sine, and is too high for data.

# %%
exercises.predict("gaussian-constant")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 1. $\sigma^2 = (2A)^2/12 = A^2/3$, $\Gamma = \sqrt3$, the constant is 0, and $\mathrm{SQNR} = 6.02\,b$ dB. [[N6](06_summary.ipynb#All-formulas)]
# 2. $\sigma^2 = A^2/2$, $\Gamma = \sqrt2$, the constant is 1.76, and $\mathrm{SQNR} = 6.02\,b + 1.76$ dB. [[N7](06_summary.ipynb#All-formulas)]
# 3. $\Gamma = 4$, the constant is $-7.27$, and $\mathrm{SQNR} = 6.02\,b - 7.27$ dB.
#
# The Gaussian is lowest. It is near 0 most of the time, but the range must extend to $4\sigma$, which it reaches only now and then, so many levels are hardly used.
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# **[Think]** The data sheet of an analog-to-digital converter says “8 bits, 49.9 dB”. A colleague takes this number for the SQNR of Gaussian weights, clipped at $\pm4\sigma$ and quantized to 8 bits. By how many decibels is it too high?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $6.02\,b + 1.76$ belongs to the full-scale sine alone. For a Gaussian with $\Gamma = 4$ it is $6.02\,b - 7.27$, which is 9 dB less, or one and a half bits.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# Now we write this quantizer: `floor` finds the cell of $x$, and half a step more is the middle of the cell.

# %% slideshow={"slide_type": "skip"}
def middles(x, bits, reach):
    """2^bits intervals of equal width fill [-reach, reach]; each level is its interval's middle."""
    step = 2 * reach / 2**bits
    interval = torch.floor(x / step).clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return (interval + 0.5) * step


def formula_db(bits, loading):
    return 10 * math.log10(3 * 4**bits / loading**2)


sine = torch.sin(2 * torch.pi * (torch.arange(10**6).double() + 0.5) / 10**6).float().to(device)
three = {"uniform": (data["uniform"], 3**0.5, 1), "sine": (sine, 2**0.5, 0.5**0.5)}
three |= {"normal": (normal, 4.0, 1)}  # values, loading factor, sigma

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
widths = (1, 2, 3, 4, 6, 8, 10, 12)
found = {
    name: [sqnr_db(x, middles(x, b, loading * sigma)) for b in widths]
    for name, (x, loading, sigma) in three.items()
}
print("b" + "".join(f"{name:>20}" for name in three))
for i, b in enumerate(widths):
    pairs = [(formula_db(b, three[name][1]), found[name][i]) for name in three]
    print(f"{b:2}" + "".join(f"{p:12.2f} {m:7.2f}" for p, m in pairs))
print("     each pair: predicted, measured, in dB")

# %% tags=["fold", "predict"] slideshow={"slide_type": "subslide"}
sheet = Sheet(panels=1, height=3.6)
sheet.frame(0, "three sources", "bit width b", "SQNR, dB", (0.5, 12.5), (-5, 78))
for (name, (_, loading, _)), color in zip(three.items(), (BLUE, PURPLE, RED)):
    line = [formula_db(b, loading) for b in widths]
    sheet.line(0, f"{name}, predicted", widths, line, color=color, linewidth=1)
    sheet.points(0, f"{name}, measured", widths, found[name], color=color, markersize=9)
sheet.legend(0, loc="upper left")
last = {name: f"{found[name][-1]:.1f}" for name in three}
sheet.show("information-three-sources", bits=widths[-1], **last)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Compare the lines with the points, look for points off their line first, and then ask why.

# %% [markdown] slideshow={"slide_type": "notes"}
# The uniform distribution agrees everywhere. The other two deviate, and with good reason:

# %% [markdown] slideshow={"slide_type": "notes"}
# - The **sine** is too low at few bits, by 1.3 dB at 1 bit. A sine spends much time near its peaks. Its density is not smooth there, which breaks Bennett's condition. The peak also lies exactly at the edge of the outermost cell, where the error is largest, so the SQNR is too low. With a level at $\pm A$ it would be too high. At more bits the deviation disappears.
# - The **Gaussian** is too low at 1 bit: the step is $4\sigma$, which is too large. The direction, however, is opposite to that of section 2. There 0 was a reconstructed value (a **mid-tread** quantizer), and the noise was less than $\Delta^2/12$. Here 0 is the border of two cells, with the two levels at $\pm2\sigma$ (**mid-rise**). The many data near 0 are wrong by nearly $2\sigma$, and the noise is more than $\Delta^2/12$. [Rate–distortion](01b_rate_distortion.ipynb) looks closely at the two types.
# - The **Gaussian** bends at 8 bits and more, and each extra bit helps less. The formula counts only the error inside the cells, and not that of the few values clipped beyond $4\sigma$. The more bits, the more these few matter.

# %% [markdown] slideshow={"slide_type": "skip"}
# The directions in the first two points can be checked. We only move the levels, and predict each row with its own step:

# %% slideshow={"slide_type": "skip"}
outermost = 2 / 3  # step of a sine's 2 bits when its outermost levels lie at its peaks
rows = {
    "sine, peak between levels": (sine, middles(sine, 2, 1.0), 0.5),
    "sine, peak at a level": (sine, middles(sine, 2, 2 * outermost), outermost),
    "normal, 0 between levels": (normal, middles(normal, 1, 4.0), 4.0),
    "normal, 0 at a level": (normal, nearest(normal, 4.0), 4.0),
}
print("                             predicted   measured   (SQNR in dB)")
for name, (x, x_hat, step) in rows.items():
    predicted = 10 * math.log10(power(x) / noise_power(step))
    print(f"{name:26} {predicted:11.2f} {sqnr_db(x, x_hat):10.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# The third point also shows that “the more levels, the better” has a limit. For a Gaussian in $\pm4\sigma$, going from 10 to 12 bits should bring 12 dB by the formula, but in fact brings far less (see the last two rows of the table of three signals). While the range stays the same, more levels reduce only the error inside the cells, and not the error of clipping. Once clipping dominates, more levels are of little use.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 Clipping and resolution
#
# ### Two kinds of noise
#
# Now let the range move. Put the two outermost reconstructed values at $\pm c$. Between $2^b$ reconstructed values there are $2^b - 1$ steps, so $\Delta = 2c/(2^b - 1)$. This is the same quantizer as the one with $2A/2^b$ in the last section, described in another way: $A$ reaches to the **outer edge** of the outermost cell, $c$ to the outermost **reconstructed value**. They differ by half a step.
#
# $$
# c = A - \frac{\Delta}{2} = A\left(1 - \frac{1}{2^b}\right)
# \quad\Rightarrow\quad A = \frac{2^b}{2^b - 1}\,c, \qquad \frac{2A}{2^b} = \frac{2c}{2^b - 1}
# $$

# %% [markdown] slideshow={"slide_type": "skip"}
# A third choice is the symmetric quantization of `quantcore` ([Quantization parameters](03_params.ipynb)): 0 is a reconstructed value, the outermost codes are $\pm(2^{b-1} - 1)$ with $2^b - 2$ steps between them, and $s = \max\lvert x \rvert / (2^{b-1} - 1)$. With a range of $\pm 1$ for all three, the steps are:

# %% tags=["fold"] slideshow={"slide_type": "skip"}
print("b    2A/2^b   2c/(2^b - 1)   max/(2^(b-1) - 1)   dB lost to the first")
for b in (2, 4, 6, 8):
    steps = 2 / 2**b, 2 / (2**b - 1), 1 / (2 ** (b - 1) - 1)
    lost = [20 * math.log10(step / steps[0]) for step in steps]
    print(f"{b} {steps[0]:9.4f} {steps[1]:14.4f} {steps[2]:19.4f} {lost[1]:15.2f} {lost[2]:6.2f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# At few bits they differ a lot, so before you quote a formula, check where its range ends.

# %% [markdown] slideshow={"slide_type": "notes"}
# The error inside the range comes from rounding and is called [**granular noise**](glossary.ipynb#Information-theory). The error outside comes from clipping and is called [**overload noise**](glossary.ipynb#Information-theory). Let $\sigma = 1$, with a density $f(x)$ symmetric about 0. Granular noise is $\Delta^2/12$ confined to the range: $D_g \approx \frac{\Delta^2}{12}\, P(\lvert x \rvert \le c)$. [[N8](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "skip"}
# Values outside all become $\pm c$. For the Gaussian $f'(x) = -x f(x)$, hence $\int_c^\infty x f\,\mathrm{d}x = f(c)$, and integration by parts gives $\int_c^\infty x^2 f\,\mathrm{d}x = \big[-x f\big]_c^\infty + \int_c^\infty f\,\mathrm{d}x = c f(c) + P(x > c)$. Expand the square and substitute:
#
# $$
# \begin{aligned}
# D_o &= 2\int_c^\infty (x - c)^2 f\, \mathrm{d}x = 2\int_c^\infty x^2 f\, \mathrm{d}x - 4c\int_c^\infty x f\, \mathrm{d}x + 2c^2\, P(x > c) \\
# &= 2\left[c f(c) + P(x > c)\right] - 4c f(c) + 2c^2\, P(x > c) = 2\left[(1 + c^2)\,P(x > c) - c f(c)\right]
# \end{aligned}
# $$
# [[N9](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "skip"}
# A method called ACIQ chooses the clip with the same $D_o$ ([Banner et al., 2019](references.ipynb)). Its granular term takes $\Delta = 2c/2^b$ and no factor $P(\lvert x\rvert \le c)$, so at few bits its $c$ is somewhat larger.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Try]** Predict first, then drag. At 4 bits, move $c$ from 4 down to 2. Which noise grows, which shrinks? Where is the best $c$, roughly? And at 8 bits?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students point at the valley first. To its left, which of the two errors grows? To its right?

# %%
explore.clipping(bits=4, clip=4.0)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# As $c$ shrinks, granular noise shrinks and overload noise grows. The bottom of the valley of the total is the best $c$, about 2.5 at 4 bits. More bits mean less granular noise, so the valley moves to the right.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# At 4 bits we measure the two separately, according to whether a Gaussian number lies in $[-c, c]$. The range of `middles` reaches to the outer edge, so it is given $A = c\,2^b/(2^b - 1)$. Few samples lie outside, so the overload noise has a sampling error of several percent.

# %% slideshow={"slide_type": "skip"}
b = 4
print("c/sigma   granular predicted, measured   overload predicted, measured")
for c in (1.5, 2.0, 2.5, 3.0, 4.0):
    e = normal - middles(normal, b, c * 2**b / (2**b - 1))
    inside = normal.abs() <= c
    granular, overload = (power(e * part) for part in (inside, ~inside))
    pg, po = (d.item() for d in clipping_noise(torch.tensor(c, dtype=torch.float64), 2**b - 1))
    print(f"{c:7} {pg:19.5f} {granular:10.5f} {po:19.5f} {overload:10.5f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The best range depends on the bit width
#
# `optimal_uniform` makes no approximation: it looks for the evenly spaced reconstructed values with the least mean squared error. The table compares its outermost level (`exact`) with the bottom of the sum of the two formulas; the column `ACIQ` takes the granular term of ACIQ instead; the last column shows by how many decibels the SQNR grows with each extra bit.

# %% tags=["fold"] slideshow={"slide_type": "fragment"}
clips = torch.linspace(0.5, 6, 5501, dtype=torch.float64)
before = optimal_uniform(2, "normal").mse
print("b   best c: predicted, exact, ACIQ   noise: predicted, exact   dB gained")
for b in range(2, 9):
    granular, overload = clipping_noise(clips, 2**b - 1)
    total, best = granular + overload, optimal_uniform(2**b, "normal")
    c, exact = clips[total.argmin()].item(), best.levels[-1].item()
    paper = clips[(clips**2 / (3 * 4**b) + overload).argmin()].item()
    print(f"{b} {c:17.2f} {exact:7.2f} {paper:6.2f}", end="")
    print(f"{total.min().item():19.2e} {best.mse:8.2e} {10 * math.log10(before / best.mse):11.2f}")
    before = best.mse

# %% [markdown] slideshow={"slide_type": "notes"}
# **[Think]** The range is already the best. Why is the gain still less than 6.02 dB per bit?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# With one more bit the best $c$ grows as well, so the step shrinks by less than half. “6 dB per bit” needs a range that stays the same, and no clipping. For a Gaussian you cannot have both.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Is the range from minimum to maximum the safest
#
# With the range from the minimum to the maximum nothing is clipped. That sounds safe.
#
# **[Predict]** Again a Gaussian, with a thousand samples, then more, up to a million. How does the maximum change? How does the noise of 4-bit quantization change?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Vote: up, unchanged, down. Most say unchanged.

# %%
exercises.predict("more-samples")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("values    max|x|   noise, min-max range   noise, best range")
for count in (10**3, 10**4, 10**5, 10**6):
    x, noise = samples.distribution("normal", count).to(device), []
    for method in ("minmax", "mse"):
        p = QuantizationParams.from_tensor(x, QuantizationScheme.INT4, method=method)
        noise.append(power(x - UniformQuantizer(p)(x)))
    print(f"{count:7} {x.abs().max().item():8.2f} {noise[0]:17.4f} {noise[1]:22.4f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# The more data, the larger the maximum, and the noise keeps rising: to save one value in a million, all the others pay. As soon as clipping is allowed, the noise hardly grows. “No clipping” is not the same as “safe”. How to choose a range is the subject of [Quantization parameters](03_params.ipynb).

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# These exercises are for after class. Write your answer first, then run the next cell to check it. If it does not pass, you get the smallest counterexample and hints. An exercise that you have not begun is only reported as unfinished.

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (6 minutes, difficulty 2/3) Always round down, $\hat x = \Delta\lfloor x/\Delta\rfloor$, and let the error $e = x - \hat x$ be uniform on $[0, \Delta)$. Write `my_floor_noise(step)`: `step` is $\Delta$; it returns three numbers, the mean of the error, its variance, and its power (mean square).

# %% slideshow={"slide_type": "skip"}
def my_floor_noise(step):
    return ...  # mean, variance, power

# %% slideshow={"slide_type": "skip"}
exercises.check("floor-noise", my_floor_noise)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_floor_noise(step):
#     mean, variance = step / 2, step**2 / 12
#     return mean, variance, variance + mean**2
# ```
#
# The variance of a uniform distribution depends only on the length of the interval and is still $\Delta^2/12$. The power is the variance plus the square of the mean, $\Delta^2/12 + \Delta^2/4 = \Delta^2/3$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (5 minutes, difficulty 1/3) Without looking at `formula_db` above, derive `my_formula(bits, loading)` from $\Delta^2/12$: the bit width `bits` is $b$, the loading factor `loading` is $\Gamma = A/\sigma$; it returns the SQNR without clipping, in dB. Compute the constants with `math.log10`, and do not type rounded numbers such as 6.02.

# %% slideshow={"slide_type": "skip"}
def my_formula(bits, loading):
    return ...  # your code; math.log10

# %% slideshow={"slide_type": "skip"}
exercises.check("sqnr-formula", my_formula)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_formula(bits, loading):
#     return 10 * math.log10(3 * 4**bits / loading**2)
# ```
#
# The step is $\Delta = 2A/2^b$, the noise $\Delta^2/12 = A^2/(3 \cdot 4^b)$, the signal $\sigma^2 = A^2/\Gamma^2$. 1.76 dB is only the case $\Gamma = \sqrt2$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (5 minutes, difficulty 2/3) Write `my_dithered(x, d, step)`: `x` is a float tensor, `d` is dither of the same shape as `x`, added before quantization and subtracted afterwards; it returns the reconstructed values.

# %% slideshow={"slide_type": "skip"}
def my_dithered(x, d, step):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("subtractive-dither", my_dithered)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_dithered(x, d, step):
#     return step * torch.round((x + d) / step) - d
# ```
#
# The error $x - \hat x = (x + d) - \Delta\operatorname{rint}((x + d)/\Delta)$ is determined by $x + d$, and no longer by $x$ alone.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (8 minutes, difficulty 2/3) `x` is a float tensor, the step is `step`, the codes run from `-top` to `top`. Write `my_noises(x, step, top)`, which returns two numbers: the granular noise, from the values that are not clipped, and the overload noise, from those that are (section 4 split at $\pm c$, half a step earlier). Both are divided by the number of all values, so that their sum is the noise power.

# %% slideshow={"slide_type": "skip"}
def my_noises(x, step, top):
    q = torch.round(x / step)
    return ...  # granular, overload

# %% slideshow={"slide_type": "skip"}
exercises.check("two-noises", my_noises)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_noises(x, step, top):
#     q = torch.round(x / step)
#     e = x - step * q.clamp(-top, top)
#     inside = q.abs() <= top
#     return (e.square() * inside).mean(), (e.square() * ~inside).mean()
# ```
#
# Whether a value is clipped is decided by its code after rounding and before clamping.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Discussion
#
# **[Think]** The error is completely determined by the signal. Why may we still call it noise? Dither often makes the mean squared error larger. Why does anybody add it?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Discuss for 5 minutes: each group gives one example where the error does look like noise, and one where it does not.

# %% [markdown] slideshow={"slide_type": "skip"}
# How far have you come in the whole course? The next cell shows it:

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# - $N$ codes of $b$ bits, closely packed, take $N\,b/8$ bytes. At batch size 1 the bytes roughly decide the time. Speed must be measured on the target machine; fake quantization cannot show it.
# - When the error is uniform over one step, the quantization noise power is $\sigma_q^2 = \Delta^2/12$. A smooth density, a step that is small enough and no clipping are the usual sufficient conditions. A step that is too large, a signal on the grid and a signal beyond the range can break it.
# - Without dither the error is never independent of the signal, unless it is constant. Subtractive dither makes it independent of any signal, with a power of exactly $\Delta^2/12$.
# - Stochastic rounding is unbiased for each $x$, at the price of a mean noise power of $2 \cdot \Delta^2/12$. When $N$ independent errors are added, noise grows like $\sqrt N$ and bias like $N$.
# - Where $\Delta^2/12$ holds and clipping can be neglected, $\mathrm{SQNR} = 6.02\,b + 4.77 - 20\log_{10}\Gamma$ dB with $\Gamma = A/\sigma$. A uniform distribution that fills the range has $6.02\,b$ dB, a full-scale sine 1.76 dB more, a Gaussian with $\Gamma = 4$ has 7.27 dB less.
# - At a fixed bit width, too small a range lets overload noise dominate, too large a range makes the step coarse and lets granular noise dominate. For a Gaussian the best clip moves outward as the bit width grows, and minimum to maximum is usually not it.

# %% [markdown] slideshow={"slide_type": "skip"}
# Next: [Rate–distortion](01b_rate_distortion.ipynb) (★ optional). How much better can quantization get with levels that are not evenly spaced, or with codes of different lengths? You may also go straight to [Quantization schemes](02_schemes.ipynb): which integers there are, and how numbers of 4 bits go into bytes.
