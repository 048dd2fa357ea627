# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # The uniform quantizer: three steps, four properties, one gradient
#
# Round $2.5$ to an integer: `round` in Python gives 2, `round` in C gives 3. Store 300 in an unsigned 8-bit integer: some programs get 255, others 44. Scale and zero point are the same, the formula looks the same, but the codes differ. Which is right? And what does one wrong step do?
#
# Once there are parameters, quantizing a value takes three steps: **rounding**, adding the **zero point**, and **clipping** (also called saturation or limiting). In this chapter we first fix the order of the steps, and prove that the resulting quantizer has four properties. Then we define its gradient, for training, and train a few weights through it. How frameworks differ, and how to compute with integers only, is the subject of [the next chapter](04b_integer.ipynb).

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let the class round 2.5 aloud. Both answers will be called out; do not judge yet.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **After this chapter you can:**
#
# - write quantization, dequantization and **fake quantization**, and say why the order of the steps matters;
# - tell clipping and two kinds of truncation apart, and four rules of rounding;
# - bound the quantization error, and prove the bound;
# - explain the **straight-through estimator** (STE): which gradients pass, which do not, and when it cannot be trusted;
# - derive the gradient of the scale, and choose between post-training quantization and quantization-aware training for a task.

# %% [markdown] slideshow={"slide_type": "skip"}
# | section | time |
# |:--|:--|
# | 1 Three steps, and their order | 30 minutes |
# | 2 Four properties | 15 minutes |
# | 3 The gradient | 20 minutes |
# | 4 Training through the quantizer | 20 minutes |
# | Exercises | 29 minutes |
# | Summary | 5 minutes |
# | ★ optional | 10 minutes |

# %% slideshow={"slide_type": "skip"}
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import exercises, explore, samples, schematics
from quantcore.quantizer import fit
from quantcore.sheet import BLUE, GRAY, GREEN, RED, Sheet

# %% slideshow={"slide_type": "skip"}
explore.set_language("en")

# %% slideshow={"slide_type": "skip"}
def integer_quantizer(scale, zero, qmin, qmax):
    return UniformQuantizer(QuantizationParams(torch.tensor(scale), torch.tensor(zero), qmin, qmax))

# %% [markdown] slideshow={"slide_type": "skip"}
# Two functions return a quantizer of `quantcore`: `integer_quantizer` is given $s$, $z$ and the range of the codes; `fit(x, b)`, as in the last chapter, finds them from the data $x$.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 Three steps, and their order
#
# The [**scale**](glossary.ipynb#Parameters) $s$ and the [**zero point**](glossary.ipynb#Parameters) $z$ of [the last chapter](03_params.ipynb) mean this: the code $q$ stands for the real number $s\,(q - z)$. Conversely, given a real $x$, which code suits it best? Set $x = s\,(q - z)$ and solve: $q = x/s + z$. A code must be an integer, so $x/s$ is rounded. A code must be in $[q_{\min}, q_{\max}]$, so in the end it is clipped:
#
# $$
# q = \operatorname{clamp}\!\left(\operatorname{rint}\!\left(\frac{x}{s}\right) + z,\ q_{\min},\ q_{\max}\right), \qquad
# \hat x = s\,(q - z)
# $$
#
# [[Q1](06_summary.ipynb#All-formulas), [Q2](06_summary.ipynb#All-formulas)]

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Write the three steps as three numbered lines. Each mistake that follows is one of these steps in the wrong place.

# %% [markdown] slideshow={"slide_type": "notes"}
# $\operatorname{rint}$ rounds to the nearest integer. A **tie** ($k + \tfrac12$ with an integer $k$) goes to the even neighbor. $\operatorname{clamp}$ replaces what is less than $q_{\min}$ by $q_{\min}$, and what is more than $q_{\max}$ by $q_{\max}$. This is also the definition of QuantizeLinear and DequantizeLinear in the ONNX specification ([ONNX, 2024](references.ipynb)).

# %% [markdown] slideshow={"slide_type": "skip"}
# The three steps of the formula are three lines of code:

# %% slideshow={"slide_type": "skip"}
def quantize(x, s, z, qmin, qmax):
    r = torch.round(x / s)  # torch.round is rint: halves go to the even neighbor
    q = r + z  # only now the zero point
    return q.clamp(qmin, qmax)  # and the clamp comes last


def dequantize(q, s, z):
    return s * (q - z)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** Take $s = 1$, $z = 1$ and the codes $[0, 255]$. By hand, what are the codes of $x = 0.5,\ 2.5,\ -1.5,\ 254.5,\ 10^9$?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Pen and paper, 2 minutes. Look for a zero point added twice.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $\operatorname{rint}(0.5) + 1 = 0 + 1 = 1$; $\operatorname{rint}(2.5) + 1 = 2 + 1 = 3$; $\operatorname{rint}(-1.5) + 1 = -2 + 1 = -1$, clipped to 0; $\operatorname{rint}(254.5) + 1 = 254 + 1 = 255$; $10^9$ is clipped to 255.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
tricky = torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5, 253.5, 254.5, 1e9, -torch.inf, 1e-30])
unit = integer_quantizer(1.0, 1, 0, 255)
ours = quantize(tricky, 1.0, 1, 0, 255)
print("x        ", "".join(f"{v:7.4g}" for v in tricky.tolist()))
print("ours     ", "".join(f"{v:7.0f}" for v in ours.tolist()))
print("quantcore", "".join(f"{v:7}" for v in unit.quantize(tricky).tolist()))
normal = samples.distribution("normal", 10**5)
core = fit(normal, 8, symmetric=False)
p = core.params
codes = quantize(normal, p.scale, p.zero_point, p.qmin, p.qmax)
print("100,000 codes equal: ", torch.equal(codes.to(p.dtype), core.quantize(normal)))
values = dequantize(codes, p.scale, p.zero_point)
print("100,000 values equal:", torch.equal(values, core(normal)))

# %% [markdown] slideshow={"slide_type": "notes"}
# The three lines agree with `quantcore`. `core(normal)` quantizes and then dequantizes, which gives floats again, all of them on the [**grid**](glossary.ipynb#Quantization). This is **fake quantization**.

# %% [markdown] slideshow={"slide_type": "skip"}
# Now we get each step wrong on purpose.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Zero point first, or rounding first
#
# The code in many tutorials computes $\operatorname{rint}(x/s + z)$: it adds the zero point, and rounds afterwards. The reason given is that $z$ is an integer, so it makes no difference.
#
# **[Predict]** With $x = 0.5$, $s = 1$, $z = 1$, what does each order give? And with $z = 2$? Enter the code for $z = 1$ with the zero point added first.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Vote: does it matter or not? Ask someone who says no for an x.

# %%
exercises.predict("zero-point-first")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $z = 1$: rounding first gives $\operatorname{rint}(0.5) + 1 = 1$, adding first gives $\operatorname{rint}(1.5) = 2$. $z = 2$: both give 2.
#
# If $x/s$ is not a tie, adding an integer does not change which way it is rounded. If $x/s$ is a tie, “even” is decided by the number that is being rounded, and an odd $z$ swaps even and odd.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
halves = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
print("x / s               ", halves.tolist())
for z in (1, 2):
    print(f"z = {z}  rint(x/s) + z ", (torch.round(halves) + z).int().tolist())
    print("       rint(x/s + z) ", torch.round(halves + z).int().tolist())

# %% [markdown] slideshow={"slide_type": "notes"}
# With $z = 1$ all six ties are off by 1; with $z = 2$ none is.

# %% [markdown] slideshow={"slide_type": "skip"}
# In float32 ties are indeed rare. In floats of low precision they are frequent: when $x/s$ is uniform on $[0, 128)$ and stored as bfloat16, one value in three is a tie. For this reason `quantcore` converts bfloat16 and float16 to float32 first.
#
# ### How many ties there are, and rounding twice ★
#
# This part can be skipped. It has two results: when an odd $z$ is added first, a third of the codes of uniform bfloat16 data are wrong; and values very close to a tie can also go wrong, because they are rounded twice.
#
# [bfloat16](02_schemes.ipynb) has $w = 8$ significant bits, float32 has $w = 24$ (with the implied leading bit). Let $x/s$ be uniform on $[0, 128)$, and divide this interval into $[64, 128)$, $[32, 64)$, $[16, 32)$ and so on:
#
# - $x/s$ lies in $[2^{7-k}, 2^{8-k})$ with probability $2^{-k}$, $k = 1, 2, \dots$;
# - there neighboring floats are $2^{8-k-w}$ apart, so a stretch of length 1 holds $2^{k+w-8}$ of them, exactly one of which is a tie: a fraction of $2^{8-k-w}$.
#
# An odd $z$ gets every tie wrong, so the fraction of errors is
#
# $$
# \sum_{k \ge 1} 2^{-k} \cdot 2^{8-k-w} = 2^{8-w} \sum_{k \ge 1} 4^{-k} = \frac{2^{8-w}}{3}
# $$
#
# **[Predict]** Use the formula: for uniform data, how many codes are wrong in float32? And still with bfloat16, when the data are normal or Laplace (scaled to the same maximum of 127), are more codes wrong, fewer, or as many? Choose the answer to the second question.

# %% slideshow={"slide_type": "skip"}
exercises.predict("bfloat16-halves")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# For uniform data it is about a third in bfloat16, and about one in two hundred thousand in float32. Most normal and Laplace values are far below the maximum, where floats are denser and ties a smaller fraction, so fewer codes are wrong.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "skip"}
def wrong(v, z):
    return torch.round((v + z).float()) != torch.round(v.float()) + z


print("z = 1            predicted    wrong")
float32, bfloat16 = (torch.float32, 24), (torch.bfloat16, 8)
for name, (dtype, w) in (
    ("uniform", float32), ("uniform", bfloat16), ("normal", bfloat16), ("laplace", bfloat16)
):
    u = samples.distribution(name, 10**6)
    u = (u / u.abs().max() * 127).to(dtype)
    predicted = "" if name != "uniform" else f"{2 ** (8 - w) / 3:.3g}"
    print(f"{name:8} {str(dtype)[6:]:8} {predicted:>8} {wrong(u, 1).float().mean():8.3g}")

# %% [markdown] slideshow={"slide_type": "skip"}
# “One in three is wrong” holds for uniform data only; for normal data it is about one in eight, for Laplace data about one in eighteen.
#
# There is another error: $x/s$ is not a tie, but very close to one. Float addition first rounds the sum $x/s + z$ to a tie, and then $\operatorname{rint}$ rounds again. This is **double rounding**, which standards for rounding numbers (GB/T 8170, for example) forbid.
#
# **[Predict]** Take the float32 number just to the left of $k + \tfrac12$, and $z = 128$, which is even. How many codes are wrong when the zero point is added first? And in bfloat16: does a larger $z$ always mean more errors from double rounding?
#
# <details><summary>Answer</summary>
#
# float32: half are wrong. Adding 128 rounds the small difference away, the sum becomes a tie, $k + 128\tfrac12$, which then goes to the even side: for even $k$ downward, which is right, for odd $k$ upward, which is wrong.
#
# bfloat16: no. With $z$ from 1 to 64 errors increase, and beyond that they decrease. With $z = 128$ the sum lies in $[128, 256)$, where neighboring bfloat16 numbers are exactly 1 apart. The addition itself rounds to an integer, with ties to even, and there is no second rounding.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "skip"}
near = torch.nextafter(torch.arange(64) + 0.5, torch.tensor(0.0))
print("float32, next to a half:", {z: wrong(near, z).float().mean().item() for z in (0, 128)})
u = (torch.rand(10**6, generator=torch.Generator().manual_seed(0)) * 128).bfloat16()
no_half = (u.float() % 1) != 0.5
print("bfloat16, uniform, share wrong although x/s is no half:")
for z in (1, 2, 16, 64, 112, 128):
    print(f"  z = {z:3}  {(wrong(u, z) & no_half).float().mean():.3f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Half up, or half to even

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Speak of the first two columns only. Who uses which need not be learned by heart.

# %% [markdown] slideshow={"slide_type": "notes"}
# At school we learn to **round half up**, $\lfloor u + \tfrac12 \rfloor$: ties always go up. Physics laboratories and the Chinese standard GB/T 8170 **round half to even**: ties go to the even neighbor, our $\operatorname{rint}$. The `round` of C is yet another rule, **round half away from zero**, written $\operatorname{round}_{\text{away}}(u) = \operatorname{sign}(u)\,\lfloor\, \lvert u\rvert + \tfrac12 \rfloor$. Together with **truncation**, which drops the fraction and goes toward zero, there are four common rules:

# %% [markdown]
# | rule | where ties go | who uses it |
# |:--|:--|:--|
# | half to even, $\operatorname{rint}$ | the even neighbor | GB/T 8170, the default of IEEE 754, ONNX; `torch.round`, `numpy.rint`, `round` of Python, `rint` of C |
# | half up, $\lfloor u + \tfrac12\rfloor$ | up | `floor(x + 0.5)` written by hand, `Math.round` of JavaScript |
# | $\operatorname{round}_{\text{away}}$ | away from zero | `round` of C, the reference implementation of TensorFlow Lite |
# | truncation | tie or not, always toward zero | `(int)x` of C, `int(x)` of Python |

# %% [markdown] slideshow={"slide_type": "notes"}
# For positive numbers the second and the third are the same; for negative ties they differ by 1.

# %% slideshow={"slide_type": "fragment"}
def half_up(u):
    return torch.floor(u + 0.5)


def half_away(u):
    return u.sign() * torch.floor(u.abs() + 0.5)


rules = {"rint": torch.round, "half up": half_up, "half away": half_away, "trunc": torch.trunc}
u = torch.tensor([-2.6, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.6])
print("u        ", "".join(f"{v:6.1f}" for v in u.tolist()))
for name, rule in rules.items():
    print(f"{name:9}", "".join(f"{int(v):6}" for v in rule(u).tolist()))

# %% [markdown] slideshow={"slide_type": "notes"}
# Does it matter which rule is used? Let the fraction of ties in the data be $t$. Half up adds $\tfrac12$ to each tie, so $t/2$ to the average. Real data have many ties, too: when the sum of two integers is odd, their mean is a tie, and when an image is made half as wide, every new pixel is the mean of two old ones.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** An 8-bit photograph is made half as wide five times over, and each time the means are rounded half up to integers. Does it get brighter, darker, or neither?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Will the picture be brighter or darker? Vote before the number.

# %%
exercises.predict("photo-half-up")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Brighter. About half of the sums of two neighboring pixels are odd, so each time half up adds $\tfrac14$ of a gray level on average, and five times make over one gray level. With half to even, about as many go up as down, and they cancel.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
pixels = torch.round(samples.photograph() * 255)
print("            halves   bias predicted   measured   brighter after 5 times")
for name in ("rint", "half up"):
    exact = (pixels[:, 0::2] + pixels[:, 1::2]) / 2
    share = (exact % 1 == 0.5).float().mean().item()
    bias = (rules[name](exact) - exact).mean().item()
    image = pixels
    for _ in range(5):
        image = rules[name]((image[:, 0::2] + image[:, 1::2]) / 2)
    predicted = {"rint": 0.0, "half up": share / 2}[name]
    after = (image.mean() - pixels.mean()).item()
    print(f"{name:9} {share:8.2f} {predicted:16.3f} {bias:10.3f} {after:16.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# Each bias is small, but they all go in one direction and add up. Avoiding this bias is one reason for “to even”; another is that the float instructions of processors do it by default. Pixels are not negative, so $\operatorname{round}_{\text{away}}$ gives the same as half up. For data symmetric about zero the mean bias of $\operatorname{round}_{\text{away}}$ is 0, but magnitudes come out too large.
#
# Yet another way is **stochastic rounding**: whether to go up or down is random, with a probability that depends on the fraction. It has no bias on average, at the price of more noise. It is the non-subtractive dither of [Information theory](01_information_theory.ipynb).

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Rounding, not truncation
#
# `int(x / s)` drops the fraction, which is truncation. The magnitude of the error $e = x - \hat x$ lies in $[0, s)$, no longer in $[0, s/2]$. For a uniform error the quantization noise power is $\sigma_q^2 = \frac1s \int_0^s e^2\,\mathrm{d}e = \frac{s^2}{3}$.
#
# **[Predict]** How many times $s^2/12$ is this? How many bits does that cost (enter the number)? With normal data, and the bit width going from 8 down to 2, is the loss still as large?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# One round is missing: how many bits does that cost? Most guess less than one.

# %%
exercises.predict("truncation-bits")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 4 times, which is 6.02 dB, worth 1 whole bit. This needs an error that is uniform on $[0, s)$, so a step that is small enough. At 2 bits the step is larger than the standard deviation, “uniform” fails, and the loss is not 6 dB.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("lost by truncation:  predicted   measured, dB")
for name, bits in (("uniform", 8), ("normal", 8), ("normal", 4), ("normal", 2)):
    x = samples.distribution(name, 10**6)
    s, power = fit(x, bits).params.scale, {}
    for rule in ("rint", "trunc"):
        power[rule] = (x - s * rules[rule](x / s)).double().square().mean()
    lost = 10 * torch.log10(power["trunc"] / power["rint"]).item()
    print(f"{name:8} {bits} bits {20 * torch.tensor(2.0).log10():13.2f} {lost:10.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# For uniform data, one forgotten `round` turns an 8-bit quantizer into one of 7 bits.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Clipping is part of the definition
#
# Some tutorials write the formula as $Q(x) = \operatorname{rint}(x/s + z)$, without $\operatorname{clamp}$.
#
# **[Predict]** By this formula a code comes out as 200 and is stored in int8. What is read back?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask one student who says 200 and one who says 127 for reasons, then show the result.

# %%
exercises.predict("wrapped-200")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $-56$. int8 keeps the low 8 bits only, $200 - 256 = -56$: a positive number that was a bit too large has become negative.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
u = torch.tensor([100.0, 127.25, 128.0, 200.0])
wrapped = torch.round(u).to(torch.int32).to(torch.int8)
clipped = quantize(u, 1.0, 0, -128, 127)
print("x / s          ", u.tolist())
print("low 8 bits     ", wrapped.tolist(), "  error", (u - wrapped).tolist())
print("clamp          ", clipped.int().tolist(), "  error", (u - clipped).tolist())

# %% [markdown] slideshow={"slide_type": "notes"}
# With clipping, a value is wrong by as much as it exceeds the range. Without it, a code that exceeds the range by only 1 has an error of 256.

# %% [markdown] slideshow={"slide_type": "subslide"}
# > **Three things called truncation or clipping.** If you know C, mind the words: converting a wide integer to a narrow one, and dropping the high bits, is also called truncation. It wraps around, which is just the opposite of clipping. In this course clipping always means saturation, and truncation means dropping the fraction.
#
# | name | also called | what it does | 200 into int8 | 2.7 to an integer |
# |:--|:--|:--|:--|:--|
# | **clipping**, as in this course | saturation, limiting | values beyond the range stay at its end | 127 | |
# | truncation of integer types (C) | wrap-around | drops the high bits | $-56$ | |
# | truncation, toward zero | chopping | drops the fraction | | 2 |

# %% [markdown] slideshow={"slide_type": "notes"}
# At which step do we clip? Take the codes $[0, 255]$ and $z = 128$. Row 1 of the table below clips $x/s$ to $[0, 255]$ first, then rounds and adds $z$. This is wrong, because $[0, 255]$ is the range of the code $q$ and not of $x/s$. Row 2 clips $x/s$ to $[0 - z,\ 255 - z]$ first. This is right, because the ends of the range have moved by $z$ as well, and as they are integers, clipping and rounding can be exchanged.

# %% slideshow={"slide_type": "skip"}
u, z = torch.tensor([-100.0, -1.0, 50.0, 126.7, 200.0]), 128
print("x / s        ", [round(v, 1) for v in u.tolist()])
print("1 clamp first", (torch.round(u.clamp(0, 255)) + z).int().tolist())
print("2 ends moved ", (torch.round(u.clamp(0 - z, 255 - z)) + z).int().tolist())
print("definition   ", quantize(u, 1.0, z, 0, 255).int().tolist())

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three mistakes with the zero point
#
# The last chapter computed the real number $z^* = q_{\min} - x_{\min}/s$ and rounded it to an integer $z$. The zero point is the code of the real 0, so dequantization must **subtract** it. There are three common mistakes:
#
# - the wrong sign: $\hat x = s\,(q + z)$;
# - rounded too late: codes come from $\operatorname{rint}(x/s + z^*)$, and dequantization subtracts the rounded $z$;
# - always a float: codes and dequantization both use the $z^*$ that was never rounded.
#
# **[Think]** Take $z^* = -64.25$. The last two mistakes look small. Which values does each affect?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# For each of the three ask: what is the mean error, and what is the greatest?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# “Rounded too late” moves the thresholds, not the reconstructed values: those are still integer multiples of $s$, and 0 is still exact. The thresholds of $\operatorname{rint}(x/s + z^*)$ are off by $\lvert z - z^*\rvert = \tfrac14$ of a step, so a quarter of the values get the neighboring code and the rest stay. The mean error is $\tfrac14 s$, and the largest error goes from $\tfrac12 s$ to $\tfrac34 s$.
#
# “A float zero point” keeps every error within half a step, but 0 has no code of its own: it is reconstructed as $s\,(\operatorname{rint}(z^*) - z^*) = \tfrac14 s$. Each 0 from padding, ReLU and pruning carries the same error.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
s, exact = 4 / 255, -128 + 255 / 4  # 8 bits over [-1, 3]: exact = qmin - xmin / s
z = round(exact)
x = torch.cat([torch.zeros(1), torch.linspace(-1, 3, 10_001)]).double()
early, late = torch.round(x / s) + z, torch.round(x / s + exact)
print(f"z* = {exact:.2f}, z = {z};  in steps:")
print("                mean error   largest   error of 0   codes changed")
ways = {"right": (early, z), "q + z": (early, -z), "rounded late": (late, z)}
for name, (q, back) in (ways | {"float z": (late, exact)}).items():
    e = (x - dequantize(q.clamp(-128, 127), s, back)) / s
    changed = (q != early).double().mean()
    print(f"{name:15} {e.mean():10.2f} {e.abs().max():9.2f} {e[0]:12.2f} {changed:15.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# With the wrong sign all values shift by $2z$ steps, which you see at once. The other two are hard to see. But the mean error of one, and the error of the other at 0, do not cancel when values are added.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Codes need an integer type
#
# “INT8” in floats saves no bytes, as we counted in [Quantization schemes](02_schemes.ipynb). It also hides mistakes that occur only with integer types.
#
# **[Predict]** With $s = 1$ and $z = 5$, the code 3 is stored as `uint8`. Written as in the formula, what does $q - z$ give?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask for the type of the result first, and then for its value.

# %%
exercises.predict("unsigned-difference")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# It gives 254. `uint8` has no negative numbers, and $3 - 5 = -2$ wraps around to $256 - 2 = 254$. Dequantization must convert codes to a wider type first, and then subtract the zero point.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
q = quantize(torch.tensor([-2.0, -1.0, 0.0, 3.0]), 1.0, 5, 0, 255)
stored = q.to(torch.uint8)
print("codes                        ", stored.tolist())
print("float codes,        s (q - z)", dequantize(q, 1.0, 5).tolist())
print("uint8 codes,        s (q - z)", dequantize(stored, 1.0, 5).tolist())
print("uint8, widened first         ", dequantize(stored.int(), 1.0, 5).tolist())
print("quantcore", integer_quantizer(1.0, 5, 0, 255).dequantize(stored).tolist())

# %% [markdown] slideshow={"slide_type": "notes"}
# With an “INT8” that is really floats, all tests pass. Only with a true integer type does the mistake come to light.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 Four properties
#
# Look at the figure first. Both horizontal axes are $x$. On the left is the staircase of the quantizer. On the right the green line is the error $e = x - \hat x$ divided by $s$; the orange line is for the next section.
#
# **[Try]** Think before you drag: from 3 bits to 6, does the height of the teeth on the right change? And the two parts outside the range?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Before it moves ask: with one more bit, how many teeth are there, and how high?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The height stays the same, always $\pm\tfrac12$, because the vertical axis is in units of $s$; what gets smaller is $s$ itself. Outside the range the error has no bound: it is the distance of $x$ from the last level.
#
# </details>

# %% slideshow={"slide_type": "subslide"}
explore.staircase(bits=3, symmetric=False)

# %% [markdown] slideshow={"slide_type": "subslide"}
# What we see, written as four properties. Let $Q(x) = \hat x$ stand for quantizing and then dequantizing.
#
# 1. **The error is bounded.** If $x$ is not clipped, then
#
# $$
# \lvert x - \hat x\rvert \le \frac{s}{2}
# $$
#
# [[Q3](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# The reason: $\operatorname{rint}$ moves $x/s$ by at most $\tfrac12$, and times $s$ that is $s/2$.

# %% [markdown]
# 2. **Idempotent.** For any $x$, $Q(Q(x)) = Q(x)$. Since $\hat x/s = q - z$ is already an integer, rounding does not change it; adding $z$ gives $q$, which is in the range, so clipping does not change it either.
# 3. **Monotone.** If $x \le y$, then $Q(x) \le Q(y)$. Dividing by a positive number, rounding, adding a constant, clipping and multiplying by a positive number are each monotone.
# 4. **0 is exact.** $Q(0) = 0$. Indeed $\operatorname{rint}(0) + z = z$, the zero point $z$ is in the range of the codes, and $s\,(z - z) = 0$.
#
# [[Q4](06_summary.ipynb#All-formulas), items 2 to 4]

# %% [markdown] slideshow={"slide_type": "notes"}
# **[Think]** These proofs are about real numbers, and programs use floats. Which property is broken by the rounding of float arithmetic itself?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The 1st. $x/s$ and $s\,(q - z)$ are rounded once each, so the error can exceed $s/2$ by a few units in the last place of $x$. This is why the test below leaves a little slack.
#
# The 2nd is not affected: the relative error of $\hat x/s$ is only around $2^{-23}$ and $q - z$ is at most $2^{16}$ in magnitude, so the deviation is far below $\tfrac12$, and rounding gives the same integer. Nor is the 3rd, because float division and multiplication are still monotone after rounding. In the 4th, nothing is rounded.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# Now we test the four properties on randomly generated tensors: five distributions, magnitudes from $10^{-4}$ to $10^{4}$, all schemes of `quantcore`, with ranges somewhat narrow on purpose so that some values are clipped.

# %% slideshow={"slide_type": "skip"}
def holds(x, quantizer):
    x_hat, s = quantizer(x), quantizer.params.scale
    slack = 4 * torch.finfo(x.dtype).eps * x.abs()
    bounded = ((x - x_hat).abs() <= s / 2 + slack)[quantizer.in_range(x)].all()
    idempotent = (quantizer(x_hat) == x_hat).all()
    monotone = (quantizer(x.sort().values).diff() >= 0).all()
    zero_exact = (quantizer(0 * x) == 0).all()
    return torch.stack([bounded, idempotent, monotone, zero_exact]).int()


def generated(seed):
    return samples.distribution(samples.SHAPES[seed % 5], 500, seed) * 10.0 ** (seed % 9 - 4)

# %% tags=["fold"] slideshow={"slide_type": "skip"}
passed, tried = torch.zeros(4, dtype=torch.int32), 0
how = {"method": "percentile", "percentile": 99}
for seed in range(45):
    for scheme in QuantizationScheme:
        for symmetric in (True, False) if scheme.signed else (False,):
            p99 = QuantizationParams.from_tensor(generated(seed), scheme, symmetric, **how)
            passed, tried = passed + holds(generated(seed), UniformQuantizer(p99)), tried + 1
print("tried       ", tried)
for name, count in zip(("bounded", "idempotent", "monotone", "zero exact"), passed.tolist()):
    print(f"{name:12} {count}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The ends of the range
#
# Property 1 needs a value that is not clipped. If the range goes from the minimum of the data to the maximum, can any value still be clipped? In asymmetric quantization $z$ is rounded, so the whole grid shifts by up to $s/2$, and one end of the range may lie beyond the outermost reconstructed value.
#
# **[Predict]** For symmetric, asymmetric, and `full_range=True`: how many $s$ is the largest error over all the data? Enter the last one.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students try a number near an end.

# %%
exercises.predict("full-range-error")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Symmetric and asymmetric both have $\tfrac12$. In the asymmetric case, a value beyond the grid exceeds it by at most $s/2$; it is clipped to the outermost reconstructed value, with an error of at most $s/2$. So in both cases **every** value satisfies $\lvert e \rvert \le s/2$.
#
# With `full_range=True`, $s = \max\lvert x\rvert / 2^{b-1}$. If the largest positive value is $s \cdot 2^{b-1}$, the largest code is only $2^{b-1} - 1$, and the error is one whole $s$.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("largest |e| / s      predicted   measured")
for name, options, predicted in (
    ("symmetric", {}, 0.5),
    ("asymmetric", {"symmetric": False}, 0.5),
    ("full_range", {"full_range": True}, 1.0),
):
    worst = 0
    for seed in range(45):
        x = generated(seed)
        quantizer = fit(x, 8, **options)
        worst = max(worst, ((x - quantizer(x)).abs().max() / quantizer.params.scale).item())
    print(f"{name:20} {predicted:9.2f} {worst:10.2f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 The gradient
#
# For a network to adapt to quantization in training, we must differentiate $Q$.
#
# **[Predict]** Look at the staircase above: what is the derivative of $Q$? In gradient descent with this derivative, what happens to the parameters?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask for the derivative of a staircase. When someone says 0, ask how training is possible then.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# On a stair $Q$ is flat, with derivative 0; at the edge $Q$ jumps and has no derivative. The gradient is 0 almost everywhere, and the parameters do not move at all.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Automatic differentiation, and detach
#
# PyTorch differentiates in two passes. The **forward** pass computes the result and records each step. The **backward** pass goes back along the record. You need to know only three operations:
#
# | written | what it does |
# |:--|:--|
# | `x = torch.tensor(2.6, requires_grad=True)` | from now on, record every operation on `x` |
# | `y.backward()` | backward: along the record, by the chain rule, find $\mathrm{d}y/\mathrm{d}x$ and put it into `x.grad` |
# | `v.detach()` | take the value of `v` and cut the record; for differentiation it is a constant |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Say detach in one sentence: used as it is in the forward pass, a constant in the backward pass.

# %% [markdown] slideshow={"slide_type": "notes"}
# For example, $y = x^2$ at $x = 2.6$ gives `x.grad` as $2x = 5.2$. Written `x * x.detach()`, the value is the same, but the second factor is a constant, and `x.grad` is only 2.6.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** Let $y$ be `x + (torch.round(x) - x).detach()`. At $x = 2.6$, what is the value of $y$? What is `x.grad`? Enter `x.grad`.

# %%
exercises.predict("slope-by-detach")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The value is $2.6 + (3 - 2.6) = 3$, which is $\operatorname{rint}(x)$. For the derivative, the term in parentheses is a constant, with derivative 0, and the $x$ in front has derivative 1, so `x.grad` is 1. Forward it is the staircase, backward it is the straight line $y = x$.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("                          value   slope")
for name, f in {
    "x**2": lambda x: x**2,
    "x * x.detach()": lambda x: x * x.detach(),
    "round(x)": torch.round,
    "x + (round(x)-x).detach()": lambda x: x + (torch.round(x) - x).detach(),
}.items():
    x = torch.tensor(2.6, requires_grad=True)
    y = f(x)
    y.backward()
    print(f"{name:25} {y.item():5.2f} {x.grad.item():7.2f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The straight-through estimator
#
# Forward, quantize as always; backward, use a derivative that is not 0 everywhere. This is the [**straight-through estimator**](glossary.ipynb#Quantizers-and-integer-arithmetic) (STE). Different sources choose different derivatives:
#
# | source | what the backward pass takes $Q$ for | where the derivative is 1 |
# |:--|:--|:--|
# | [Bengio et al., 2013](references.ipynb) | the identity: `x + (Q(x) - x).detach()` | all real numbers |
# | [Krishnamoorthi, 2018](references.ipynb); TensorFlow | clipping without rounding | $s\,(q_{\min} - z) \le x \le s\,(q_{\max} - z)$ |
# | PyTorch; `quantcore` | the derivative of $\operatorname{rint}$ is taken as 1; that of clipping is kept, evaluated at the code **after rounding** | half a step wider at both ends than in the row above |

# %% [markdown]
# Outside, the derivative is 0. A **mask** of 0s and 1s says which values pass a gradient and which do not. This course uses the third row:
#
# $$
# \frac{\partial \hat x}{\partial x} :=
# \begin{cases}
# 1, & q_{\min} \le \operatorname{rint}(x/s) + z \le q_{\max} \\
# 0, & \text{else}
# \end{cases}
# $$
#
# [[Q5](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# The sign $:=$ says that this is a convention, and not the true derivative. As an interval of $x$ it is $s\,(q_{\min} - z - \tfrac12) \le x \le s\,(q_{\max} - z + \tfrac12)$; whether a tie exactly at an end passes depends on which side is even. In the picture, the forward pass goes through the staircase, and the backward pass multiplies by the mask:

# %% tags=["fold"] slideshow={"slide_type": "subslide"}
schematics.fake_quantization()

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Trace both paths with a finger.

# %% [markdown] slideshow={"slide_type": "skip"}
# The next figure begins at 2 bits, where the few levels are easy to see. The orange line on the right is Q5.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Try]** Think before you drag: with more bits, does the part where the orange line is 1 get wider or narrower? And with “symmetric” ticked?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Before it moves ask: does the stretch where the orange line is 1 become wider or narrower? Most say narrower, and cannot say why: ask them where the extra half step goes.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Narrower, its ends approaching the range of the data, $[-1, 2]$, because the additional half step gets smaller and smaller. With “symmetric” ticked, the left end reaches beyond $-2$, where there are no data.
#
# </details>

# %%
explore.staircase(bits=2, symmetric=False)

# %% [markdown] slideshow={"slide_type": "skip"}
# Now we check the three masks by counting. With 3 bits and data in $[-1, 2]$, take $x$ evenly spaced in $[-3, 4]$, an interval of length 7. There are 7 steps between 8 reconstructed values, so the fractions with derivative 1 should be 1, $7s/7$ and $8s/7$; the denominator is the length of the interval:

# %% slideshow={"slide_type": "skip"}
three_bits = fit(torch.tensor([-1.0, 2.0]), 3, symmetric=False)
s3, z3 = three_bits.params.scale.item(), three_bits.params.zero_point.item()


def identity(x):
    return x + (three_bits(x) - x).detach()


def only_clamped(x):
    inside = x.clamp(s3 * (-4 - z3), s3 * (3 - z3))
    return inside + (three_bits(x) - inside).detach()


def by_torch(x):
    return torch.fake_quantize_per_tensor_affine(x, s3, z3, -4, 3)

# %% slideshow={"slide_type": "skip"}
print("share of slope 1    predicted   measured   same values as quantcore")
for name, f, predicted in (
    ("identity", identity, 1.0),
    ("clamp, no rounding", only_clamped, 7 * s3 / 7),
    ("torch", by_torch, 8 * s3 / 7),
    ("quantcore", three_bits, 8 * s3 / 7),
):
    x = torch.linspace(-3, 4, 10_000, requires_grad=True)
    y = f(x)
    y.sum().backward()
    same = torch.allclose(y, three_bits(x))
    print(f"{name:19} {predicted:9.3f} {x.grad.mean():10.3f}   {same}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Why clipped values have gradient 0
#
# The identity (row 1 of the table of sources) takes one line of code, and is common. It has no mask: what harm does that do? Here is a minimal example: $s = 0.5$, $z = 0$, codes from $-4$ to 3, so the largest reconstructed value is 1.5. The goal is 3, out of reach. The loss is $(\hat w - 3)^2$, the learning rate 0.1, and we start from $w = 1.5$.
#
# **[Compute]** After 1000 steps, where is $w$ without a mask, and where with it? Enter the $w$ with the mask.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Estimate first where w is after 1000 steps without a mask.

# %%
exercises.predict("masked-weight")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Without a mask: $\hat w$ is always 1.5, the gradient always $2\,(1.5 - 3) = -3$, and each step adds 0.3 without end, $w_t = 1.5 + 0.3\,t$. After 1000 steps that is 301.5, and the loss has not decreased at all.
#
# With the mask: the first step goes to 1.8, where $\operatorname{rint}(1.8/0.5) = 4$ exceeds $q_{\max} = 3$. The gradient becomes 0, and $w$ stays there.
#
# </details>

# %% slideshow={"slide_type": "skip"}
masked = integer_quantizer(0.5, 0, -4, 3)


def unmasked(w):
    return w + (masked(w) - w).detach()


def descend(f, w, goal, steps, decay=0.0):
    w = torch.tensor(w, requires_grad=True)
    for _ in range(steps):
        w.grad = None  # backward adds to it
        ((f(w) - goal) ** 2).backward()
        with torch.no_grad():
            w -= 0.1 * w.grad + decay * w
    return w.item()

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("steps   without mask: predicted   measured   with mask")
for steps in (1, 10, 100, 1000):
    free, held = descend(unmasked, 1.5, 3.0, steps), descend(masked, 1.5, 3.0, steps)
    print(f"{steps:5} {1.5 + 0.3 * steps:24.1f} {free:10.1f} {held:11.1f}")
print("then the goal moves to 0, for 100 steps:")
print(f"without mask          {descend(unmasked, free, 0.0, 100):6.1f}")
print(f"with mask             {descend(masked, held, 0.0, 100):6.1f}")
print(f"with mask, and decay  {descend(masked, held, 0.0, 100, decay=0.01):6.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# The mask is the true derivative of clipping: outside the range, moving $w$ a little does not move $\hat w$. Without it $w$ runs far away, and when the goal changes later, the way back is long.
#
# The mask has a price, too. If the range is fixed and there is no other force, a weight that has stopped never moves again, as in the second-to-last row. There are three remedies: weight decay (the last row: each step shrinks $w$ by another 1%, which brings it back into the range); observing the data again every few steps, and updating the range; and making $s$ a parameter that is learned, as in the next section.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 Training through the quantizer
#
# A small experiment: $y = Xw$ with four weights of 3 bits each, and correlated columns in the input. 50 random problems are solved at once, so that chance plays little part. Each problem has three sets of data: one for training, one for validation (to choose the step at which to stop), and one only for the report. The loss is in units of the power of $y$, so $\hat w = 0$ has a loss of exactly 1.
#
# If the true weights are known, is the loss least when each is rounded to the nearest reconstructed value?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# This is the hardest part of the chapter, so go slowly. Put two weights on the board, and try the four pairs of codes one by one.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** The step is $s = 1$, both weights are 0.4, and both multiply the same input: $y = 0.4\,x + 0.4\,x$. Rounded one by one, what is $\hat y$? Can it be better?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# One by one it is $(0, 0)$, $\hat y = 0$, with the error $0.8\,x$. With one down and the other up, $(0, 1)$, $\hat y = x$ and the error is only $-0.2\,x$. When inputs are correlated, one weight can cancel the rounding error of another, and rounding one by one cannot see this.
#
# AdaRound ([Nagel et al., 2020](references.ipynb)) and GPTQ ([Frantar et al., 2023](references.ipynb)) build on this: they choose the code of each weight so as to keep the error of the layer's output small.
#
# </details>

# %% slideshow={"slide_type": "skip"}
generator = torch.Generator().manual_seed(0)


def draw(*shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


mix = draw(50, 4, 4)  # one for each problem: it makes the columns of X depend on each other
x_train, x_valid, x_test = (draw(50, 64, 4) @ mix for _ in range(3))
target = draw(50, 4)
weights = fit(target, 3, axis=0)  # a scale for each problem

# %% slideshow={"slide_type": "skip"}
def loss(x, w):
    error, y = x @ (w - target)[..., None], x @ target[..., None]
    return error.square().mean((1, 2)) / y.square().mean((1, 2))


def train(quantizer, start, shrink=False):
    w, history = start.clone().requires_grad_(), []
    for step in range(500):
        history.append(w.detach().clone())
        w.grad = None
        loss(x_train, quantizer(w)).sum().backward()
        with torch.no_grad():
            w -= 0.1 * (1 - step / 500 * shrink) * w.grad
    return torch.stack(history)

# %% [markdown] slideshow={"slide_type": "subslide"}
# We compare three ways:
#
# - training, by the true derivative or by the straight-through estimator; from 0 or from the true weights; ending at the last step (with a learning rate that is fixed or decreases), or at the step that is best on the validation data. Training with a straight-through estimator is the simplest form of **quantization-aware training** (QAT);
# - no training: the true weights are rounded one by one, the simplest form of **post-training quantization** (PTQ);
# - trying everything: of all $8^4 = 4096$ sets of codes, the one with the least loss on the reported data. This is a lower bound.

# %% slideshow={"slide_type": "skip"}
def chosen(history):
    on_valid = torch.stack([loss(x_valid, weights(w)) for w in history])
    return history[on_valid.argmin(0), torch.arange(50)]  # a step for each problem


s_weights, zeros = weights.params.scale[:, None], torch.zeros_like(target)
runs = {
    "true derivative": train(lambda w: s_weights * (w / s_weights).round().clamp(-4, 3), zeros),
    "straight-through": train(weights, zeros),
    "shrinking rate": train(weights, zeros, shrink=True),
    "from the true weights": train(weights, target),
}

# %% tags=["fold"] slideshow={"slide_type": "skip"}
every_code = torch.cartesian_prod(*[torch.arange(-4.0, 4.0, dtype=torch.float64)] * 4)
best = []
for x, scale, w in zip(x_test, s_weights, target):
    error = x @ (every_code * scale - w).T  # (64, 4096)
    power = (x @ w).square().sum()
    best.append(error.square().sum(0).min() / power)

# %% tags=["fold"] slideshow={"slide_type": "fragment"}
nearest = loss(x_test, weights(target))
rows = {f"{name}, last step": loss(x_test, weights(run[-1])) for name, run in runs.items()}
for name in ("straight-through", "from the true weights"):
    rows[f"{name}, chosen step"] = loss(x_test, weights(chosen(runs[name])))
rows |= {"rounded to nearest": nearest, "best of 4096": torch.stack(best)}
print("of 50 problems                       median loss   better than rounded   worse")
for name, values in rows.items():
    better, worse = (values < 0.999 * nearest).sum(), (values > 1.001 * nearest).sum()
    print(f"{name:36} {values.median():11.4f} {better:21} {worse:7}")

# %% [markdown] slideshow={"slide_type": "notes"}
# From the table you can see:
#
# - Training by the true derivative does not move at all, and the loss is exactly 1.
# - The straight-through estimator from 0 is told only the range of the true weights (which decided $s$), and gets about as far as rounding one by one: with the chosen step, it is better in as many problems as it is worse.
# - Its **last step**, however, is mostly worse than rounding one by one, and a decreasing learning rate wins back only a part.
# - From the true weights and with the chosen step, it is almost never worse than rounding one by one and sometimes better, but still some way above the bound. This is why real quantization-aware training begins with a trained network.

# %% [markdown] slideshow={"slide_type": "skip"}
# The step is chosen on one set of data and reported on another. If it were chosen on the reported data, the result would look too good.
#
# Why is the last step bad? Let us draw it. On the right are the last 40 steps of one of the weights.

# %% tags=["fold"] slideshow={"slide_type": "skip"}
last = runs["straight-through"][460:] / s_weights  # (40 steps, 50 problems, 4 weights)
flips = (torch.round(last).diff(dim=0) != 0).sum(0)
reach = (last.amax(0) - last.amin(0)) * (flips > 30)  # one that moves far, and often
i, j = divmod(reach.argmax().item(), 4)
path, code = last[:, i, j], torch.round(last[:, i, j])
sheet, t = Sheet(2), torch.arange(500)
curve = torch.stack([loss(x_test, weights(w)) for w in runs["straight-through"]]).median(1).values
sheet.frame(0, "median loss of 50 problems", "step", "loss", (0, 500), (3e-3, 3), yscale="log")
sheet.line(0, "straight-through", t, curve, color=BLUE)
for name, losses, color in (("nearest", nearest, RED), ("best", torch.stack(best), GREEN)):
    sheet.line(0, name, [0, 500], [losses.median().item()] * 2, color=color, linestyle="--")
sheet.legend(0)

# %% tags=["fold"] slideshow={"slide_type": "subslide"}
low, high = code.min().item(), code.max().item()
sheet.frame(1, "one weight", "step", "in units of s", (460, 500), (low - 0.5, high + 1))
for name, values, color in (("code", code, RED), ("w / s", path, BLUE)):
    sheet.line(1, name, t[460:], values, color=color, drawstyle="steps-post", linewidth=1.2)
threshold = (low + high) / 2
sheet.line(1, "threshold", [460, 500], [threshold] * 2, color=GRAY, linestyle="--")
sheet.legend(1, ncols=3)
print(f"weights whose code changed in the last 40 steps: {(flips > 0).double().mean():.1%}")
levels = {"nearest": f"{nearest.median():.3f}", "best": f"{torch.stack(best).median():.3f}"}
levels |= {f"loss_{at}": f"{curve[at]:.3f}" for at in (0, 50, 499)}
ends = {"low": f"{low:.0f}", "high": f"{high:.0f}", "flips": flips[i, j].item()}
sheet.show("quantizer-oscillation", **levels, **ends)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Point at the last steps and ask why it cannot settle.

# %% [markdown] slideshow={"slide_type": "notes"}
# This weight crosses the threshold between two levels again and again, and its code jumps with it. This is **oscillation**. Most weights still jump at the end. The best value lies between two levels: at the lower one the gradient pushes the weight up, at the upper one down. The gradient of the straight-through estimator is not 0 even at the optimum, so with a fixed learning rate the weight does not come to rest. In training, therefore, decrease the learning rate, and choose the step on validation data; [Nagel et al., 2022](references.ipynb) show ways to damp the oscillation. The straight-through estimator is a useful approximation, with no guarantee that it finds the best codes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Learning the range, too
#
# The range need not come from [calibration](03_params.ipynb): it can be learned with the weights. Take $z = 0$ and $\hat x = s\,\operatorname{clamp}(\operatorname{rint}(x/s), q_{\min}, q_{\max})$.
#
# **[Compute]** Again take the derivative of $\operatorname{rint}$ as 1, and find $\partial\hat x/\partial s$: first for an $x$ that is not clipped, then for one that is.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Without clipping, $\hat x = s\operatorname{rint}(x/s)$. By the product rule the derivative is
# $\operatorname{rint}(x/s) + s \cdot 1 \cdot \left(-x/s^2\right) = \operatorname{rint}(x/s) - x/s$.
#
# With clipping, $\hat x = s\,q_{\max}$ or $s\,q_{\min}$, and the derivative is $q_{\max}$ or $q_{\min}$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# This is the gradient of LSQ (learned step size quantization, [Esser et al., 2020](references.ipynb)):
#
# $$
# \frac{\partial \hat x}{\partial s} :=
# \begin{cases}
# \operatorname{rint}(x/s) - x/s, & q_{\min} \le \operatorname{rint}(x/s) \le q_{\max} \\
# q_{\min}, & \operatorname{rint}(x/s) < q_{\min} \\
# q_{\max}, & \operatorname{rint}(x/s) > q_{\max}
# \end{cases}
# $$
#
# [[Q6](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# The LSQ paper states the condition on $x/s$, which differs from this by half a step at the ends. The earlier PACT ([Choi et al., 2018](references.ipynb)) learns where to clip, $\alpha = s\,q_{\max}$, and takes the gradient of values that are not clipped as 0. We check the formula with `detach`:

# %% slideshow={"slide_type": "skip"}
def learned(x, s, qmin=-4, qmax=3):
    u = x / s
    r = u + (torch.round(u) - u).detach()  # rint, with slope 1
    return s * r.clamp(qmin, qmax)


x = torch.tensor([-5.0, -1.8, -0.3, 0.26, 0.7, 1.7, 1.8, 9.0])
s = torch.full_like(x, 0.5).requires_grad_()  # one s for each x, to see each slope
learned(x, s).sum().backward()
r = torch.round(x / 0.5)
formula = torch.where(r < -4, -4, torch.where(r > 3, 3, r - x / 0.5))
print("x        ", "".join(f"{v:7.2f}" for v in x.tolist()))
print("formula  ", "".join(f"{v:7.2f}" for v in formula.tolist()))
print("backward ", "".join(f"{v:7.2f}" for v in s.grad.tolist()))

# %% [markdown] slideshow={"slide_type": "skip"}
# The formula and `backward` agree. But the derivative of $\operatorname{rint}$ really is 0. Can this gradient be trusted? Look at the mean squared error $D(s) = \mathbb{E}[e^2]$. At a threshold $\hat x$ jumps and $e$ goes from $s/2$ to $-s/2$, but $e^2$ is continuous. So $D$ has a true derivative, which we can measure as a difference quotient, $\bigl(D(s + h) - D(s - h)\bigr)/(2h)$. For the $x$ that are not clipped, the true derivative uses $\partial\hat x/\partial s = \operatorname{rint}(x/s)$ and Q6 uses $\operatorname{rint}(x/s) - x/s$; their $\mathrm{d}D/\mathrm{d}s$ differ by $\tfrac{2}{s}\,\mathbb{E}[x\,e]$, with the expectation over the $x$ that are not clipped. [The less the error is correlated](01_information_theory.ipynb) with the signal, the more accurate Q6 is.

# %% slideshow={"slide_type": "skip"}
gaussian = samples.distribution("normal", 10**5).double()


def distortion(s, bits):
    half = 2 ** (bits - 1)
    return (gaussian - learned(gaussian, s, -half, half - 1)).square().mean()

# %% tags=["fold"] slideshow={"slide_type": "skip"}
print("bits     s   true slope      Q6   difference   2 E[x e] / s")
for bits, start in ((3, 0.4), (3, 0.6), (3, 0.9), (2, 1.0), (4, 0.3)):
    s = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    distortion(s, bits).backward()
    h, r = 1e-4, torch.round(gaussian / start)
    true = (distortion(start + h, bits) - distortion(start - h, bits)) / (2 * h)
    inside = (r >= -(2 ** (bits - 1))) & (r < 2 ** (bits - 1))
    expected = 2 / start * (gaussian * (gaussian - start * r) * inside).mean()
    print(f"{bits:4} {start:5} {true:12.3f} {s.grad:7.3f} {s.grad - true:12.3f} {expected:14.3f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# They differ by exactly the last column. Far from the best $s$, Q6 and the true derivative have the same sign and similar size. Near the best $s$ the true derivative is close to 0, and there this difference makes Q6 stop at a slightly wrong place, the more so the fewer the bits.
#
# Start from the $s$ that the maximum gives, descend 300 steps along Q6, and compare with the `mse` calibration of [the last chapter](03_params.ipynb):

# %% slideshow={"slide_type": "skip"}
print("bits   method       s       mean squared error")
for bits in (3, 4):
    found = {m: fit(gaussian, bits, method=m).params.scale.item() for m in ("minmax", "mse")}
    s = torch.tensor(found["minmax"], dtype=torch.float64, requires_grad=True)
    for _ in range(300):
        s.grad = None
        distortion(s, bits).backward()
        with torch.no_grad():
            s -= 0.02 * s.grad
    for name, value in (found | {"learned": s.item()}).items():
        print(f"{bits:4}   {name:8} {value:7.3f} {distortion(value, bits):14.4f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# The mean squared errors of the two differ by less than one percent, because both look for practically the same minimum, `mse` by searching, and learning by the gradient. The advantage of learning is that it can reduce the loss of a task directly, and not only the mean squared error. Many values share $s$, so its gradient is a sum of many terms, and LSQ also divides it by $\sqrt{N q_{\max}}$, where $N$ is the number of values that share this $s$.
#
# Back to the example whose goal was out of reach. With $s$ learned as well, $w$ does not get stuck:

# %% slideshow={"slide_type": "skip"}
w, s = (torch.tensor(v, requires_grad=True) for v in (1.5, 0.5))
for goal in (3.0, 0.0):
    for _ in range(100):
        w.grad = s.grad = None
        ((learned(w, s) - goal) ** 2).backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
            s -= 0.03 * s.grad
    print(f"goal {goal}: w {w.item():.2f}   s {s.item():.2f}   w_hat {learned(w, s).item():.2f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Post-training quantization, or quantization-aware training
#
# Should a trained network be quantized as it is, or trained further through the quantizer?
#
# | | post-training quantization (PTQ) | quantization-aware training (QAT) |
# |:--|:--|:--|
# | data | a few representative samples without labels, for the ranges of activations; none, if weights are only rounded one by one | training data, with labels |
# | time | no training; AdaRound and GPTQ solve layer by layer, which takes longer | some training, with a learning rate and a number of steps to be tuned, in several trials |
# | accuracy | at 8 bits usually close to floats; the fewer bits, the larger the loss | at the same few bits, usually higher than PTQ |
# | when | always try it first | when the accuracy of PTQ is not enough, and data and computing power are available |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask which one for three situations; students first say whether there are data, and whether there is time.

# %% [markdown] slideshow={"slide_type": "notes"}
# The row on accuracy follows [Nagel et al., 2021](references.ipynb); [A real network](05b_network.ipynb) compares the two on one network. PTQ usually comes with two small steps. Before quantization, the scaling and shift of batch normalization are folded into the weights and bias of the layer before it. After quantization, bias correction subtracts from the bias the shift of the mean output that the error of the weights has caused.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Think]** Which would you choose for these three tasks? A network for images at 8 bits, with no training data; the same network at 3 bits, with training data; a language model of 7 billion parameters with weights of 4 bits, and one graphics card.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# PTQ for the first: there are no data to train on, and 8 bits are usually enough. QAT for the second: PTQ loses much at 3 bits, and the data are there. For the third a PTQ such as GPTQ: training the whole model would cost too much. For all three, measure PTQ first and then decide.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# These exercises are for after class. Write your answer first, then run the next cell to check it. If it does not pass, you get the smallest counterexample and hints. An exercise that you have not begun is only reported as unfinished.

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (6 minutes, difficulty 1/3) Write `my_codes(x, s, z, qmin, qmax)`: `x` is a tensor of bfloat16, `s` a float, `z`, `qmin` and `qmax` are integers. Convert `x` to float32 before computing; it returns codes of `torch.int32`.

# %% slideshow={"slide_type": "skip"}
def my_codes(x, s, z, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("quantize-bfloat16", my_codes)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_codes(x, s, z, qmin, qmax):
#     q = torch.round(x.float() / s) + z
#     return q.clamp(qmin, qmax).to(torch.int32)
# ```
#
# The order is round, add the zero point, clip; in float32 the sum with the zero point is exact.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (5 minutes, difficulty 1/3) Somebody makes gray images half as wide with the line `brightens`, and after a few times the image is brighter. Fix `my_halved(rows)`: `rows` is a float matrix of integers from 0 to 255, with an even number of columns; it returns the mean of neighboring columns, rounded to integers, as a float matrix with half as many columns. The bias should roughly cancel, without random numbers.

# %% slideshow={"slide_type": "skip"}
def my_halved(rows):
    average = (rows[:, 0::2] + rows[:, 1::2]) / 2
    brightens = torch.floor(average + 0.5)  # what is wrong with it?
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("fix-the-average", my_halved)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_halved(rows):
#     average = (rows[:, 0::2] + rows[:, 1::2]) / 2
#     return torch.round(average)
# ```
#
# `torch.round` takes ties to even, so about as many go up as down.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (4 minutes, difficulty 1/3) Write `my_values(q, s, z)`: `q` are codes of `torch.uint8`, `s` is a float, `z` an integer in $[0, 255]$; it returns reconstructed values of float32.

# %% slideshow={"slide_type": "skip"}
def my_values(q, s, z):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("dequantize-uint8", my_values)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_values(q, s, z):
#     return s * (q.to(torch.int32) - z).float()
# ```
#
# Convert to a wider type, then subtract the zero point: `uint8` has no negative numbers.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (6 minutes, difficulty 2/3) Write `my_mask(x, s, z, qmin, qmax)`: `x` is a tensor of float32, `s` a float, `z`, `qmin` and `qmax` are integers. It returns a boolean tensor of the shape of `x`, `True` where the gradient passes. By Q5, decide by the code after rounding and before clipping.

# %% slideshow={"slide_type": "skip"}
def my_mask(x, s, z, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("gradient-mask", my_mask)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_mask(x, s, z, qmin, qmax):
#     q = torch.round(x / s) + z
#     return (q >= qmin) & (q <= qmax)
# ```
#
# A value whose code is exactly $q_{\min}$ or $q_{\max}$ is not clipped, and passes the gradient.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (8 minutes, difficulty 2/3) Without looking at Q6, derive and write `my_slope(x, s, qmin, qmax)`: `x` is a tensor of float32, `s` a float, $z = 0$. For each element of `x` it returns $\partial\hat x/\partial s$, with the derivative of $\operatorname{rint}$ taken as 1, as a tensor of float32.

# %% slideshow={"slide_type": "skip"}
def my_slope(x, s, qmin, qmax):
    q = torch.round(x / s)
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("scale-gradient", my_slope)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_slope(x, s, qmin, qmax):
#     q = torch.round(x / s)
#     clipped = q.clamp(qmin, qmax)
#     return torch.where(q == clipped, q - x / s, clipped)
# ```
#
# For a value that is not clipped it is $\operatorname{rint}(x/s) - x/s$, at most $\tfrac12$ in magnitude; for a clipped one it is $q_{\min}$ or $q_{\max}$, much larger in magnitude, so clipped values affect $s$ most.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Discussion
#
# **[Think]** The gradient of the straight-through estimator is not the derivative. Why does training succeed all the same? When does it fail?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Discuss for 5 minutes: the straight-through estimator is no derivative, so why does it work?

# %% [markdown] slideshow={"slide_type": "skip"}
# How far have you come in the whole course? The next cell shows it:

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# - The order of quantization is: divide by $s$, round (ties to even), add $z$, clip to $[q_{\min}, q_{\max}]$. With an odd $z$ added before rounding, the code of every tie is off by 1.
# - Clipping is part of the definition. Without it codes beyond int8 wrap around, positive becomes negative, and the error is 256 steps.
# - Codes belong in an integer type; to dequantize, convert to a wider type first, then subtract the zero point.
# - A zero point that is rounded too late moves the thresholds; one that is never rounded makes 0 inexact.

# %% [markdown] slideshow={"slide_type": "subslide"}
# - An $x$ that is not clipped satisfies $\lvert x - \hat x\rvert \le s/2$; the quantizer is idempotent and monotone, and 0 is exact.
# - The straight-through estimator takes the derivative of rounding as 1. The mask of this course is decided by the code after rounding: 1 if the code is inside, else 0. Bengio et al. have no mask; that of Krishnamoorthi is half a step narrower at each end.
# - In training through the quantizer, codes oscillate at thresholds; decrease the learning rate, and choose the step on other data.
# - $s$ can be learned, too: for a value that is not clipped the gradient is $\operatorname{rint}(x/s) - x/s$, for a clipped one $q_{\min}$ or $q_{\max}$ ($z = 0$).
# - Try post-training quantization first; if its accuracy is not enough, and data and computing power are available, use quantization-aware training.

# %% [markdown] slideshow={"slide_type": "skip"}
# Next: [Integers only](04b_integer.ipynb), on how frameworks do these three steps, and how a matrix product is done in integers from beginning to end.
