# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # Quantization parameters: how scale and zero point are chosen
#
# Which real number does a code stand for? The last chapter counted the codes but did not answer this question. Two parameters decide it: the [**scale**](glossary.ipynb#Parameters) $s$ and the [**zero point**](glossary.ipynb#Parameters) $z$.
#
# The code that computes them is two or three lines, and many tutorials print it like this. We will call it the tutorial code:
#
# ```python
# s = max((x.max() - x.min()) / (qmax - qmin), 1e-8)
# z = clamp(round(qmin - x.min() / s), qmin, qmax)
# ```

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students look for mistakes in these two lines, and write down what they find. Come back to it at the end: how many found all three? (Mistake ② is not in these lines.)

# %% [markdown] slideshow={"slide_type": "subslide"}
# The tutorial code has four mistakes. We first derive the formulas ourselves, and then find the mistakes and mend them one by one:
#
# - ① the range may not contain 0 (section 2);
# - ② unsigned symmetric divides by 0 (in a line not printed here; [Quantization schemes](02_schemes.ipynb) has shown it, and section 3 gives the right formula);
# - ③ the floor of the scale, $10^{-8}$, is too large (section 7);
# - ④ NaN is not checked (section 7).

# %% [markdown] slideshow={"slide_type": "skip"}
# **After this chapter you can:**
#
# - compute $s$ and $z$ by hand from the range of the data, and say how large the error is at its ends;
# - explain why 0 must be exact and why the range must contain 0, compute what that costs, and name formats that do otherwise;
# - choose between symmetric and asymmetric quantization, and say by how much three conventions for the symmetric scale differ and when it matters;
# - predict what one outlier does, choose a calibration method, and say what it costs;
# - collect ranges for activations, and predict how many calibration pictures it takes;
# - choose a granularity, and compute how many bits each weight takes with its scales.

# %% [markdown] slideshow={"slide_type": "skip"}
# | section | time |
# |:--|:--|
# | 1 From the range to $s$ and $z$ | 10 minutes |
# | 2 Zero must be exact | 12 minutes |
# | 3 Symmetric and asymmetric | 13 minutes |
# | 4 Outliers and calibration | 20 minutes |
# | 5 Static and dynamic ranges | 13 minutes |
# | 6 Granularity | 17 minutes |
# | 7 Bad input | 3 minutes |
# | Exercises | 30 minutes |
# | Summary | 2 minutes |
# | ★ optional | 15 minutes |
#
# [Just enough about networks](00_start.ipynb#Just-enough-about-networks) explains what output channels, padding and ReLU are. In the code, `fit(x, b)` finds $s$ and $z$ from the data $x$ and returns a quantizer of $b$ bits.

# %% slideshow={"slide_type": "skip"}
import math
import time

import torch
from torch.ao.quantization import MinMaxObserver

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import exercises, explore, noise_power, pack_int4, samples, schematics, sqnr_db
from quantcore.calibration import METHODS
from quantcore.information import error_report
from quantcore.quantizer import fit
from quantcore.sheet import BLUE, GREEN, RED, Sheet

# %% slideshow={"slide_type": "skip"}
explore.set_language("en")

# %% slideshow={"slide_type": "skip"}
INT4, INT8, UINT8 = (QuantizationScheme[name] for name in ("INT4", "INT8", "UINT8"))
device = "cuda" if torch.cuda.is_available() else "cpu"
names = "relu", "normal", "uniform", "outliers"
relu, normal, uniform, outliers = (samples.distribution(n, 10**5).to(device) for n in names)


def ends(quantizer):
    """The values of the least and of the greatest code."""
    p = quantizer.params
    return [(p.scale * (q - p.zero_point)).item() for q in (p.qmin, p.qmax)]


# %% tags=["fold"] slideshow={"slide_type": "skip"}
def table(head, rows):
    """Print rows under the names in `head`, each column as wide as it needs."""
    rows = [[name.strip() for name in head.split("|")], *([str(c) for c in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)))


def span(quantizer, digits=2):
    """Both ends of the range, as text."""
    return "{0:.{2}f} … {1:.{2}f}".format(*ends(quantizer), digits)


# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 From the range to $s$ and $z$
#
# The formula of dequantization is $\hat x = s\,(q - z)$. It has two unknowns, so we need two equations: the two ends of the data should meet the two ends of the codes.
#
# $$
# \begin{aligned}
# x_{\min} &= s\,(q_{\min} - z) \\
# x_{\max} &= s\,(q_{\max} - z)
# \end{aligned}
# $$

# %% [markdown] slideshow={"slide_type": "subslide"}
# The figure shows 3 bits and the range $[-1, 2]$. There $z$ has already been rounded to an integer, and the ends do not meet exactly.

# %% tags=["fold"]
schematics.number_line()

# %% [markdown] slideshow={"slide_type": "subslide"}
# Subtract the equations, and $z$ drops out:
#
# $$
# s = \frac{x_{\max} - x_{\min}}{q_{\max} - q_{\min}}
# $$
# [[P2](06_summary.ipynb#All-formulas)]

# %% [markdown]
# The first then gives $z^* = q_{\min} - x_{\min}/s$. $z^*$ is usually not an integer, but $z$ must be one, like the codes, so $z^*$ is rounded to the nearest integer (rint). If the result lies outside the range of the codes, the nearer end is taken; this is **clipping** (also saturation or limiting):
#
# $$
# z = \operatorname{clamp}\!\left(\operatorname{rint}(z^*),\ q_{\min},\ q_{\max}\right)
# $$
# [[P3](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# This is how the ONNX operator DynamicQuantizeLinear defines it, with ties to even ([ONNX, 2024](references.ipynb)). Integer zero points go back to [Jacob et al., 2018](references.ipynb), whose code rounds ties away from zero; the two can differ, by 1, only when $z^*$ is exactly a tie.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** The data lie in $[-1, 3]$, and we use INT8. What is $z$? Mind the sign.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask for the sign first, by hands, and only then for the value. Whoever says +64 took the zero point for a distance.

# %%
exercises.predict("zero-point-sign")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $z = -64$, a negative number. $z$ is the code of the real 0. As 0 is near the left end of the range, its code is near $q_{\min} = -128$. In numbers: $s = 4/255$, $z^* = -128 + 1/s = -64.25$, rounded to $z = -64$. A common mistake is to write $+64$.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
def by_hand(lo, hi, scheme):
    s = (hi - lo) / (scheme.qmax - scheme.qmin)
    z = min(max(round(scheme.qmin - lo / s), scheme.qmin), scheme.qmax)
    return f"{s:.5f}", z


rows = []
for lo, hi, scheme in ((-1.0, 3.0, INT8), (-1.0, 3.0, UINT8), (-2.0, 0.5, INT4)):
    p = QuantizationParams.from_tensor(torch.tensor([lo, hi]), scheme, symmetric=False)
    core = f"{p.scale.item():.5f}", p.zero_point.item()
    rows.append((f"[{lo}, {hi}]", scheme.name, *by_hand(lo, hi, scheme), *core))
table("range | scheme | s by hand | z | s of quantcore | z", rows)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### The error at the ends of the range
#
# Rounding $z^*$ has a price: all reconstructed values shift together, and the ends of the range are no longer exactly reconstructed values.
#
# **[Compute]** At most how many $s$ is the error at the ends of the range?
#
# <details><summary>Answer</summary>
#
# At most half an $s$. By the definition of $z^*$, $x_{\min} = s\,(q_{\min} - z^*)$, and the code $q_{\min}$ now stands for $s\,(q_{\min} - z)$. The error at the left end is
#
# $$
# e = x_{\min} - \hat x_{\min} = s\,(q_{\min} - z^*) - s\,(q_{\min} - z) = s\,(z - z^*), \qquad \lvert e \rvert \le \frac{s}{2}
# $$
# [[P9](06_summary.ipynb#All-formulas)]
#
# The right end likewise has the error $s\,(z - z^*)$. The signs at the two ends can differ only when $z^*$ is exactly a tie.
#
# </details>

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# One student at the board, from the two equations to s (z − z*).

# %% tags=["predict"] slideshow={"slide_type": "skip"}
rows = []
for lo, hi in ((-1.0, 3.0), (-0.3, 1.0), (-2.0, 0.7), (-1.0, 1.8)):
    x = torch.tensor([lo, hi])
    quantizer = fit(x, 4, symmetric=False)
    s, z = quantizer.params.scale.item(), quantizer.params.zero_point.item()
    exact = INT4.qmin - lo / s
    e = ((x - quantizer(x)) / s).tolist()
    rows.append((f"[{lo}, {hi}]", f"{exact:.2f}", z, *(f"{v:.2f}" for v in (z - exact, *e))))
table("range | z* | z | error in s: predicted | left | right", rows)

# %% [markdown] slideshow={"slide_type": "notes"}
# The three error columns are equal, all within $\pm 0.5$.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 Zero must be exact
#
# Why should $z$ be an integer? If it is not, no code stands exactly for 0. And in networks 0 is everywhere: in the padding of a convolution, in the output of a ReLU, in weights after pruning (small weights set to 0). Let the error of 0 be $\delta$. Then each 0 carries the **same** $\delta$.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask on: a picture is padded with a ring of zeros, and each has the same error. What happens to the output?

# %% [markdown] slideshow={"slide_type": "subslide"}
# How do these errors add up? A layer multiplies its inputs by weights $w_k$ and adds. All the 0s together give the output a bias of
#
# $$
# \delta \sum_{k:\,x_k = 0} w_k
# $$

# %% [markdown] slideshow={"slide_type": "notes"}
# If all weights are equal (average pooling, for example), the bias is $\delta$ times this weight times the number of 0s. If the weights have both signs, it is much smaller, but it depends on which inputs are 0. It changes with the input, and differs between the border and the middle of a convolution, so it cannot be put into the layer's own bias beforehand.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Let us check this. The reconstructed values of 4-bit unsigned symmetric quantization are $0, s, 2s, \dots$. Another quantizer has $\tfrac12 s, \tfrac32 s, \dots$, so that 0 becomes $\tfrac12 s$ and its error is $\delta = -\tfrac12 s$.

# %% slideshow={"slide_type": "fragment"}
features = samples.distribution("relu", 512)
s = features.max() / 15
shifted = s * ((features / s).floor() + 0.5)
e, zero = features - shifted, features == 0
n_zero, n_other = zero.sum(), (~zero).sum()
print(f"{n_zero} of 512 features are 0. Equal weights, the sum of the errors of")
print(f"  the zeros:  predicted {-n_zero * s / 2:6.2f}, measured {e[zero].sum():6.2f}")
print(f"  the others: typical size {s * (n_other / 12).sqrt():.2f}, measured {e[~zero].sum():6.2f}")
w = torch.randn(10**4, 512, generator=torch.Generator().manual_seed(0))
rms = (w[:, zero] @ e[zero]).square().mean().sqrt()
print("Ten thousand random weight vectors, root mean square of what")
print(f"  the zeros add: predicted {s / 2 * n_zero.sqrt():.2f}, measured {rms:.2f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### The range must contain 0
#
# “My data lie in $[2, 3]$, so $x_{\min} = 2$.” That sounds right.
#
# **[Predict]** By the formulas of the last section, with INT8, what is $z$ after rounding and before clipping? And with the clipped $z$, what are the reconstructed values of $2$, $2.5$ and $3$?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# First let the class agree that the range is [2, 3], and then show 1, 1, 1. This is the slide that they will remember.

# %%
exercises.predict("unclamped-zero-point")

# %%
exercises.predict("range-without-zero")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $s = 1/255$ and $z^* = -128 - 2 \cdot 255 = -638$, outside the range of the codes. After clipping $z = -128$. The two equations no longer hold, and the program goes on all the same. Divided by $s$, plus $z$, all three numbers exceed 127 and are clipped to 127, so all three are reconstructed as $s\,(127 + 128) = 1$.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
def tutorial_params(x, scheme):
    s = ((x.max() - x.min()) / (scheme.qmax - scheme.qmin)).clamp(min=1e-8)
    z = torch.round(scheme.qmin - x.min() / s).clamp(scheme.qmin, scheme.qmax)
    return s, z


def through(x, s, z, scheme):
    q = (torch.round(x / s) + z).clamp(scheme.qmin, scheme.qmax)
    return [f"{v:.2g}" for v in (s * (q - z)).tolist()]


for x in (torch.tensor([2.0, 2.5, 3.0]), torch.tensor([5.0, 5.0])):
    p = fit(x, 8, symmetric=False).params
    print(x.tolist(), "  tutorial", *through(x, *tutorial_params(x, INT8), INT8), end="")
    print("   quantcore", *through(x, p.scale, p.zero_point, INT8))

# %% [markdown] slideshow={"slide_type": "notes"}
# The tutorial code turns the three numbers into 1, and two 5s into something that is almost 0, with no error message. Once $z$ has been clipped, the mistake cannot be seen.

# %% [markdown] slideshow={"slide_type": "subslide"}
# One step mends it: widen the range to contain 0 first.
#
# $$
# x_{\min} \leftarrow \min(x_{\min}, 0), \qquad x_{\max} \leftarrow \max(x_{\max}, 0)
# $$
# [[P1](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# Then $0 \le -x_{\min}/s \le q_{\max} - q_{\min}$. So $z$ lies in the range of the codes anyway, and clipping only guards against the errors of float arithmetic. $[2, 3]$ gets $s = 3/255$, and 0 is always exact. Mistake ① is mended.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### What containing zero costs
#
# This step is not free: the step for $[2, 3]$ is three times what it was, and the codes for $[0, 2]$ are all idle.
#
# **[Compute]** For data uniform on $[2, 3]$, how many decibels of SQNR does widening the range cost?
#
# <details><summary>Answer</summary>
#
# The noise power is $s^2/12$, and the ratio of the steps is the ratio of the widths, so the loss is
#
# $$
# 20 \log_{10} \frac{\max(x_{\max}, 0) - \min(x_{\min}, 0)}{x_{\max} - x_{\min}}\ \text{dB}
# $$
# [[P10](06_summary.ipynb#All-formulas)]
#
# This is $20 \log_{10} 3 = 9.54$ dB, worth 1.6 bits.
#
# </details>

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask which data suffer. It leads to: farther from zero than they are wide.

# %% tags=["predict"] slideshow={"slide_type": "skip"}
rows = []
for lo, hi in ((-1.0, 3.0), (0.5, 3.0), (2.0, 3.0), (9.0, 10.0)):
    x = torch.linspace(lo, hi, 100_001)
    s = (hi - lo) / 255
    keeps_minimum = lo + s * torch.round((x - lo) / s)  # no level at 0
    loss = sqnr_db(x, keeps_minimum) - sqnr_db(x, fit(x, 8, symmetric=False)(x))
    predicted = 20 * math.log10((max(hi, 0) - min(lo, 0)) / (hi - lo))
    rows.append((f"[{lo}, {hi}]", f"{predicted:.2f} dB", f"{loss:.2f} dB"))
table("range | loss predicted | measured", rows)
groups = samples.digits_network()[5].weight.view(-1, 32)
apart = (groups.amin(1) > 0) | (groups.amax(1) < 0)
print(f"groups of 32 trained weights that do not contain 0: {apart.sum()} of {len(groups)}")

# %% [markdown] slideshow={"slide_type": "notes"}
# The cost is serious only when all data lie on one side of 0, farther from 0 than they are wide. The ranges of weights and activations usually contain 0 anyway, and then it costs nothing.

# %% [markdown] slideshow={"slide_type": "notes"}
# Some formats skip this step. Q4_1 of llama.cpp stores $s$ and the minimum $m$, with reconstructed values $s\,q + m$; `per_channel_affine_float_qparams` of PyTorch has a zero point that is a float. These formats quantize weights only, turn them back into floats before multiplying, and few weights are 0, so 0 need not be exact.

# %% [markdown] slideshow={"slide_type": "notes"}
# What about not clipping, and simply using $z = -638$? The arithmetic works, and the step really is a third as large. But 0 still has no code, $z$ does not fit into the integer type of the codes, and $q - z$ goes up to 765, so the accumulator of an integer product needs more bits. If you want integer products together with padding and ReLU, $z$ should be a code.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 Symmetric and asymmetric
#
# **Symmetric** quantization sets $z = 0$, which leaves one unknown. For signed codes:
#
# $$
# s = \frac{\max \lvert x \rvert}{q_{\max}}, \qquad q_{\max} = 2^{b-1} - 1
# $$
# [[P4](06_summary.ipynb#All-formulas)]

# %% [markdown]
# Unsigned codes begin at 0, so only data without negative numbers can be represented, and the divisor is $q_{\max} = 2^b - 1$:
#
# $$
# s = \frac{x_{\max}}{2^b - 1}
# $$
# [[P7](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# Here the tutorial code divides by $\min(\lvert q_{\min}\rvert, q_{\max}) = 0$, as the last chapter showed; this is mistake ②. A negative number should raise an error, because no code can represent it.

# %% [markdown] slideshow={"slide_type": "notes"}
# If the range of the data decides $z$, the quantization is **asymmetric**; the last two sections were about that.

# %% [markdown] slideshow={"slide_type": "notes"}
# The advantage of symmetric quantization is in integer products: when both factors are symmetric, all terms with zero points vanish (see [integer-only multiplication](04b_integer.ipynb)). The disadvantage is that when the data lie on one side, the codes of the other are wasted.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** The output of a ReLU has no negative numbers. By how many decibels is the SQNR of 8-bit signed symmetric below that of 8-bit unsigned symmetric? And 8-bit signed asymmetric?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Whoever guesses 3 dB has confused power and step.

# %%
exercises.predict("relu-loss")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Signed symmetric uses only the codes 0 to 127, which divide the range of the data into 127 steps. The other two divide it into 255, and give the same result. The ratio of the steps is about 2, so the SQNR differs by $20\log_{10}(255/127)$, about 6 dB: 1 bit given away.
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
rows, decibels = [], []
for scheme, symmetric in ((INT8, True), (INT8, False), (UINT8, True)):
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(relu, scheme, symmetric))
    decibels.append(sqnr_db(relu, quantizer(relu)))
    name = f"{scheme.name} {'symmetric' if symmetric else 'asymmetric'}"
    rows.append((name, span(quantizer), f"{decibels[-1]:.2f}", f"{decibels[-1] - decibels[0]:.2f}"))
table("quantizer | range | SQNR dB | gain", rows)
print(f"predicted gain: 20 log10(255 / 127) = {20 * math.log10(255 / 127):.2f} dB")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Three conventions
#
# For signed symmetric, what is $\max\lvert x\rvert$ divided by? There are three common conventions:
#
# | divisor | INT8 | if the largest number is positive | who uses it |
# |:--|:--|:--|:--|
# | $2^{b-1} - 1$ | 127 | exact | the default of `quantcore`; weights in TensorFlow Lite ([Google, 2024](references.ipynb)) and in TensorRT ([NVIDIA, 2023](references.ipynb)), which both use only the codes $[-127, 127]$ |
# | $2^{b-1}$ [[P5](06_summary.ipynb#All-formulas)] | 128 | clipped, with the error $s$ | Q formats of fixed-point numbers; Q4_0 of llama.cpp; `full_range=True` of `quantcore` |
# | $(2^b - 1)/2$ [[P6](06_summary.ipynb#All-formulas)] | 127.5 | the error is $s/2$ | the observers of PyTorch, with codes $[-128, 127]$ |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Do not go through the rows. Say three things: what is divided by, who uses it, and that at 8 bits it hardly matters.

# %% [markdown] slideshow={"slide_type": "notes"}
# Four remarks on this table:
#
# - `quantcore` divides by 127 but still allows the code $-128$. With a range from minimum to maximum, $-128$ is never used. With ranges chosen in other ways, clipped negative numbers land on $-128$. This is why both ends are written below whenever a range is given.
# - Q4_0 puts the number of largest magnitude on the code $-8$, and allows a negative $s$. If the largest number is $+4$, then $s = 4/(-8) = -0.5$: $+4$ is exact, and what is clipped is the other end.
# - The rule of PyTorch is really to divide by $(q_{\max} - q_{\min})/2$, which is 127 when the codes are $[-127, 127]$.
# - There are other conventions. One in torchao, for example, takes $s = \max(x_{\max}/127,\ -x_{\min}/128)$, which can use all codes and clips nothing.

# %% slideshow={"slide_type": "skip"}
largest = normal.abs().max().item()
scales = {
    "127": fit(normal, 8).params.scale,
    "128, full_range": fit(normal, 8, full_range=True).params.scale,
}
for name, lowest in (("127.5, PyTorch -128…127", -128), ("127, PyTorch -127…127", -127)):
    ends_of = {"quant_min": lowest, "quant_max": 127}
    observer = MinMaxObserver(torch.qint8, torch.per_tensor_symmetric, **ends_of)
    observer(normal.cpu())
    scales[name] = observer.calculate_qparams()[0]
predicted = [largest / float(name.split(",")[0]) for name in scales]
rows = zip(scales, predicted, (s.item() for s in scales.values()), strict=True)
table("divisor | s predicted | measured", [(n, f"{p:.6f}", f"{s:.6f}") for n, p, s in rows])

# %% [markdown] slideshow={"slide_type": "skip"}
# Does it matter which of them you take? Dividing by $2^{b-1}$ makes the step finer than dividing by $2^{b-1} - 1$, but if the largest number is positive, the price is an error of $s$. Let $n$ numbers share $s$, and let the largest be positive or negative with equal chance. Spread over all numbers, the mean square of this error is $\tfrac{s^2}{2n}$; with $2^{b-1} - 1$ the largest number has no error. The other $n - 1$ numbers have a noise power of $s^2/12$, each convention with its own $s$. All in all, dividing by $2^{b-1}$ gains
#
# $$
# 20 \log_{10} \frac{2^{b-1}}{2^{b-1} - 1} - 10 \log_{10}\!\left(1 + \frac{6}{n-1}\right)\ \text{dB}
# $$
# [[P11](06_summary.ipynb#All-formulas)]
#
# **[Predict]** With 8 bits and 64 numbers sharing each $s$, which is better? And with a hundred thousand?

# %% slideshow={"slide_type": "skip"}
def decibels_of_conventions(x, bits):
    """SQNR with max|x| of each row divided by 2^(b-1) - 1, 2^(b-1) and (2^b - 1)/2."""
    top, reach = 2 ** (bits - 1) - 1, x.abs().amax(1)
    z, found = torch.zeros(len(x), dtype=torch.int32, device=x.device), []
    for divisor in (top, top + 1, top + 0.5):
        p = QuantizationParams(reach / divisor, z, -top - 1, top, axis=0)
        found.append(sqnr_db(x, UniformQuantizer(p)(x)))
    return found


# %% tags=["predict"] slideshow={"slide_type": "skip"}
rows = []
for bits, n in ((b, n) for b in (4, 8) for n in (16, 64, 256, 1024, 10**5)):
    db = decibels_of_conventions(normal[: 10**5 // n * n].view(-1, n), bits)
    gain = 20 * math.log10(2**bits / (2**bits - 2)) - 10 * math.log10(1 + 6 / (n - 1))
    rows.append((bits, n, *(f"{v:.2f}" for v in (*db, gain, db[1] - db[0]))))
table("bits | n | 2^(b-1)-1 | 2^(b-1) | (2^b-1)/2 | 2^(b-1) gains: predicted | measured", rows)

# %% [markdown] slideshow={"slide_type": "skip"}
# At 8 bits, with only 16 numbers in a group, dividing by 127 is better by 1.4 dB, and with 64 numbers still by 0.3 dB. With a thousand numbers or more, the three hardly differ. At 4 bits, dividing by 7 is still better for 16 numbers, and dividing by 8 for 64 or more. By the formula, the $n$ at which the gain is zero is about 380 for 8 bits and about 20 for 4 bits.
#
# This table uses Gaussian data. In uniform data many numbers are close to the largest, so that more than one is clipped; and at very few bits $s^2/12$ need not hold either:

# %% tags=["fold"] slideshow={"slide_type": "skip"}
rows = []
for name, x in (("normal", normal), ("uniform", uniform)):
    for bits in (2, 3, 4):
        db = decibels_of_conventions(x[None], bits)
        gain = 20 * math.log10(2**bits / (2**bits - 2))
        rows.append((name, bits, *(f"{v:.2f}" for v in (*db, gain, db[1] - db[0]))))
table("data | bits | 2^(b-1)-1 | 2^(b-1) | (2^b-1)/2 | 2^(b-1) gains: predicted | measured", rows)
for full_range in (False, True):
    quantizer = fit(normal, 2, full_range=full_range)
    s = quantizer.params.scale.item()
    ratio = error_report(normal, quantizer).mse / noise_power(s)
    step = s / normal.std().item()
    print(f"normal, 2 bits: s = {step:.2f} sigma, noise / (s^2/12) = {ratio:.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# For Gaussian data, the prediction holds at 3 and 4 bits. At 2 bits it does not: with the divisor $2^{b-1} - 1 = 1$ the step is $4.5\sigma$, and the true noise is much less than $s^2/12$; with the divisor 2 the step is $2.25\sigma$, and $s^2/12$ still mostly holds. For uniform data at 3 and 4 bits, the divisor in between, $(2^b - 1)/2$, is best. No convention wins everywhere. What matters is to say which one is used.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 Outliers and calibration
#
# With a symmetric range from minimum to maximum, the largest magnitude alone decides the step.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Try]** Among ten thousand numbers one becomes 64 times the standard deviation. Such a number is an **outlier**. Guess first: at 8 bits, what happens to the error of the other 9999? And at 4 bits? Then drag “outlier / σ”, change the bit width, and watch the short lines at the bottom of the left plot (levels, the reconstructed values) and the dashed line on the right ($s/2$). The SQNR below the figure counts the outlier itself; the table afterwards counts the others only.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Guess the fate of the other 9999 first, then drag. Stop at each doubling, and let students call out by how many decibels the SQNR fell.

# %% slideshow={"slide_type": "subslide"}
explore.outlier(samples.distribution("normal"), bits=8, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# At first the largest number is about $4\sigma$. When it becomes $64\sigma$, the step is 16 times and the noise power of the others 256 times what it was, and their SQNR falls by 24 dB, worth 4 bits.
#
# At 4 bits it is worse: $s = 64\sigma/7$, half a step is $4.6\sigma$, and all the others are rounded to 0.
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# The outlier itself has next to no error. The others pay for everything. $s$ is proportional to the largest value, and the noise power $s^2/12$ to its square. So as long as the step stays below about $2\sigma$ (where $s^2/12$ holds), each doubling of the largest value takes 6.02 dB from the SQNR of the others. With a still larger step all of them become 0. The noise is then their own power $\sigma^2$, the SQNR is 0 dB, and it falls no further.

# %% slideshow={"slide_type": "skip"}
rows = []
for bits, size in ((b, n) for b in (8, 4) for n in (4, 8, 16, 32, 64)):
    x = samples.distribution("normal")
    x[0] = size
    quantizer = fit(x, bits)
    s, rest = quantizer.params.scale.item(), error_report(x[1:], quantizer)
    numbers = f"{noise_power(s):.2e}", f"{rest.mse:.2e}", f"{rest.sqnr_db:.1f}"
    rows.append((bits, size, f"{s:.2f}", *numbers))
table("bits | outlier | s | noise of the others: predicted | measured | SQNR dB", rows)

# %% [markdown] slideshow={"slide_type": "notes"}
# At 8 bits each row loses about 6 dB, as predicted. In the last three rows of 4 bits the step exceeds $2\sigma$, the prediction gradually fails, and the SQNR goes down to 0 dB.

# %% [markdown] slideshow={"slide_type": "notes"}
# So “minimum to maximum is always safest” is an illusion: it may save one number and sacrifice all others.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Five calibration methods

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# One sentence for each of the five: who is cautious, who is bold, who does not look at the bit width.

# %% [markdown] slideshow={"slide_type": "notes"}
# [**Calibration**](glossary.ipynb#Parameters) is choosing the range from data. A narrower range makes the step finer, and clips what lies outside.

# %% [markdown]
# | method | how it chooses the range | what it costs |
# |:--|:--|:--|
# | `minmax` | from minimum to maximum | one outlier ruins the step |
# | `percentile` | leaves out a small outermost part, 0.1% by default; if asymmetric, this much on either side | the part depends neither on the bit width nor on how many outliers there are, so it may be too much or too little |
# | `mse` | shrinks the range to 1%, 2%, … 100%, and takes the least mean squared error | it sees only the size of the error, not which number matters; if asymmetric, both ends shrink by the same ratio; if an outlier is more than a hundred times the useful range, 1% is not small enough |
# | `entropy` | also tries a hundred ranges, and takes the one for which the distributions before and after differ least (Kullback–Leibler divergence) | it needs a great many numbers to fill the histogram, or its range is too wide (see the optional part below) |
# | `aciq` | assumes Gaussian data, and computes the range from their mean and variance | it is wrong where the data are not Gaussian |

# %% [markdown] slideshow={"slide_type": "notes"}
# `mse` is the most direct: its aim is the mean squared error, and it tries the candidate ranges one by one. It takes only a few lines:

# %% slideshow={"slide_type": "skip"}
def mse_by_fraction(x, bits):
    """The noise for each range from 1% to 100% of max|x|."""
    top, errors = 2 ** (bits - 1) - 1, []
    for percent in range(1, 101):
        s = percent / 100 * x.abs().max() / top
        x_hat = s * (x / s).round().clamp(-top - 1, top)
        errors.append((x - x_hat).square().mean().item())
    return errors


# %% slideshow={"slide_type": "skip"}
errors, rows = {bits: mse_by_fraction(outliers, bits) for bits in (4, 6, 8)}, []
for bits, noise in errors.items():
    core = fit(outliers, bits, method="mse")
    percent = 100 * core.params.scale * (2 ** (bits - 1) - 1) / outliers.abs().max()
    mine = noise.index(min(noise)) + 1, f"{min(noise):.5f}"
    rows.append((bits, *mine, round(percent.item()), f"{error_report(outliers, core).mse:.5f}"))
table("bits | best percent | its MSE | percent of quantcore | its MSE", rows)

# %% [markdown] slideshow={"slide_type": "notes"}
# At 8 bits the two are one candidate apart, and the mean squared errors differ by a thousandth: to be fast, `quantcore` searches on a histogram (see the optional part below).

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** The errors for three bit widths are drawn as curves. On which side of the figure do the three nearly coincide? Which noise is on the left of a valley, which on its right?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students sketch the three curves on paper first.

# %% tags=["predict", "fold"] slideshow={"slide_type": "fragment"}
sheet = Sheet(1)
for (bits, noise), color in zip(errors.items(), (RED, GREEN, BLUE), strict=True):
    sheet.line(0, f"INT{bits}", range(1, 101), noise, color=color)
best = {f"int{bits}": noise.index(min(noise)) + 1 for bits, noise in errors.items()}
sheet.frame(0, "noise against range", "percent of the largest value", "MSE", yscale="log")
sheet.legend(0, loc="lower left")
sheet.show("03-noise-over-range", **best)

# %% [markdown] slideshow={"slide_type": "notes"}
# On the left. There the error is mostly overload noise, and how much is clipped does not depend on the bit width. On the right of a valley it is mostly granular noise, the higher the fewer bits, so the valley of 4 bits lies farthest to the left.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Try]** In the data below one number in a thousand is twenty times as large. Predict first: at 4 bits, in what order are the SQNRs of `minmax`, `percentile` and `mse`, from low to high? And at 8 bits? Then switch “calibration”, and then the bit width. The figure has ten thousand numbers and the table afterwards a hundred thousand, so the values differ slightly.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# An order: write first, then look. At 8 bits, stop and ask why minmax is suddenly good.

# %%
exercises.predict("outlier-methods")

# %% slideshow={"slide_type": "subslide"}
explore.calibration(samples.distribution("outliers"), bits=4, symmetric=True)

# %% tags=["predict", "fold"] slideshow={"slide_type": "skip"}
rows = []
for method in METHODS:
    row = [method]
    for bits in (4, 8):
        quantizer = fit(outliers, bits, method=method)
        report = error_report(outliers, quantizer)
        row += [span(quantizer, 1), f"{report.clipped:.3%}", f"{report.sqnr_db:.1f}"]
    rows.append(row)
table("method | 4 bits: range | clipped | dB | 8 bits: range | clipped | dB", rows)

# %% [markdown] slideshow={"slide_type": "notes"}
# `mse` is highest at both bit widths. No wonder: the SQNR is just what it aims at, and 100% is among its candidates, so it cannot be below `minmax`. At 8 bits `minmax` comes second: the step is fine enough, and heavy clipping costs more than it gains. `entropy` is only 0.2 dB behind at 4 bits, and far behind at 8. SQNR is not its aim, and a fair comparison looks at the accuracy of a network (in the table of section 5). `percentile` leaves out 0.1%, but less than 0.1% is really clipped, because numbers within half a step outside the outermost reconstructed value still round to it, and on the negative side there is the code $-8$ besides.

# %% [markdown] slideshow={"slide_type": "notes"}
# ### The best range depends on the bit width
#
# Now take Gaussian data without outliers, from 2 to 8 bits. Do the ranges that the methods choose change with the bit width?

# %% tags=["fold"] slideshow={"slide_type": "skip"}
rows = []
for bits in (2, 4, 6, 8):
    row = [bits]
    for method in METHODS:
        quantizer = fit(normal, bits, method=method)
        row += [span(quantizer, 1), f"{sqnr_db(normal, quantizer(normal)):.1f}"]
    rows.append(row)
table("bits | " + " | ".join(f"{method} | dB" for method in METHODS), rows)

# %% [markdown] slideshow={"slide_type": "notes"}
# - `mse`: the fewer bits, the narrower the range. This is the balance of granular and overload noise from [Information theory](01_information_theory.ipynb).
# - `percentile`: the positive end does not change with the bit width. For these data it is too wide at 2 and 4 bits, and too narrow at 8, worse than not clipping at all; only at 6 bits does it happen to fit.
# - `entropy`: for these hundred thousand numbers it does not clip at 6 and 8 bits; at 2 bits it is much worse than `mse`.
# - `aciq`: it searches nothing, and yet is nearly equal to `mse`, because the data happen to be Gaussian.

# %% [markdown] slideshow={"slide_type": "notes"}
# At 2 bits look at both ends: the codes are $-2$ to $1$, so the range is twice as wide on the negative side, and many more positive numbers are clipped.

# %% [markdown] slideshow={"slide_type": "notes"}
# Clipping has another cost, one that the SQNR does not show: a clipped outlier never comes back. If it happens to be an important feature, use a finer granularity (section 6) or another remedy, and do not clip.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### How the Kullback–Leibler divergence is computed ★
#
# This part writes out the algorithm of entropy calibration and can be skipped. Its result: the steps below choose the same ranges as `quantcore`, and they need a lot of numbers to be reliable.
#
# Entropy calibration comes from TensorRT ([Migacz, 2017](references.ipynb)). It aims at the least change in the shape of the distribution, and not at the least error. Let $P$ be the histogram of the data, and $Q$ the histogram that is still known after quantization. Their difference is measured by the **Kullback–Leibler divergence**:
#
# $$
# D_{\mathrm{KL}}(P \Vert Q) = \sum_i p_i \log_2 \frac{p_i}{q_i}
# $$
#
# It means: the data follow $P$ but the code was designed for $Q$ (bin $i$ takes $-\log_2 q_i$ bits), and this is how many more bits each number takes on average. For a given range the steps are:
#
# 1. Turn the data into a histogram, here with 4081 bins.
# 2. Looking only at the bins inside the range, add up the counts that fall on the same code, and spread them evenly over those of its bins that are not empty. This is $Q$. Bins that fall on the same code can no longer be told apart, so all one can do is spread evenly.
# 3. $P$ has only the bins inside the range as well, but the counts outside are piled onto its outermost bins. Clipped numbers are in $P$ and not in $Q$; the more is clipped, the larger the difference. Without this step, very narrow ranges would look best.
# 4. Normalize both, take $q_i$ as at least $10^{-12}$, and compute $D_{\mathrm{KL}}$.
#
# Do this for a hundred ranges, and take the one with the least $D_{\mathrm{KL}}$.

# %% slideshow={"slide_type": "skip"}
def divergence(points, counts, s, bits, inside):
    """D(P||Q) in bits, for the grid of step s and the range that is `inside`."""
    p, used = counts[inside], (counts[inside] > 0).double()
    code = (points[inside] / s).round().clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).long()
    code += 2 ** (bits - 1)
    mass, bins = (torch.zeros(2**bits).double().index_add(0, code, n) for n in (p, used))
    q = (mass / bins.clamp_min(1))[code] * used
    first, last = inside.nonzero()[[0, -1], 0]
    p[0] += counts[:first].sum()
    p[-1] += counts[last + 1 :].sum()
    p, q = p / p.sum(), (q / q.sum()).clamp_min(1e-12)
    return torch.special.xlogy(p, p / q).sum().item() / math.log(2)


# %% slideshow={"slide_type": "skip"}
def least_divergence(x, bits):
    """The percentage of the range with the least D(P||Q)."""
    lo, hi = x.min().item(), x.max().item()
    counts, points = torch.histc(x, 4081, lo, hi).double(), torch.linspace(lo, hi, 4081)
    found = {}
    for percent in range(100, 0, -1):
        f = percent / 100
        s = f * max(-lo, hi) / (2 ** (bits - 1) - 1)
        inside = (f * lo <= points) & (points <= f * hi)
        found[percent] = divergence(points, counts, s, bits, inside)
    return min(found, key=found.get)


# %% slideshow={"slide_type": "skip"}
rows = []
for name, bits, n in (
    (s, b, 10**k) for s, b in (("outliers", 8), ("normal", 6)) for k in (4, 5, 6)
):
    x = samples.distribution(name, n)
    core = fit(x, bits, method="entropy")
    percent = 100 * core.params.scale * (2 ** (bits - 1) - 1) / x.abs().max()
    dB = f"{sqnr_db(x, core(x)):.1f}"
    rows.append((name, bits, n, least_divergence(x, bits), round(percent.item()), dB))
table("data | bits | n | percent by these steps | by quantcore | SQNR dB", rows)

# %% [markdown] slideshow={"slide_type": "skip"}
# With more numbers, the chosen range becomes narrower (for the Gaussian data, only with a million). With few numbers the histogram is sparse, often only one bin of a code is not empty, $Q$ equals $P$, and even a wide range seems to cost nothing. For data with outliers, the narrower the range, the lower the SQNR, which shows once more that SQNR is not the aim.
#
# Activations have another difficulty. After a ReLU a great many numbers are exactly 0, all in one bin of the histogram. $D_{\mathrm{KL}}$ then sees hardly anything but this bin, and for its sake would rather clip too many of the others. `quantcore` first removes some of the exact 0s, until this bin is no higher than the mean of its neighbors:

# %% slideshow={"slide_type": "skip"}
spiked = torch.where(relu == 0, 1e-6, relu)  # as large a spike, but of no exact zeros
for name, x in (("with the spike capped", relu), ("with the spike left", spiked)):
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, UINT8, method="entropy"))
    print(f"entropy, {name:21} {sqnr_db(relu, quantizer(relu)):5.1f} dB")

# %% [markdown] slideshow={"slide_type": "skip"}
# ### If the distribution is known, one equation is enough ★
#
# This part derives the range of `aciq` and can be skipped. Its result: for Gaussian data the best clip, in units of $\sigma$, depends on the bit width only; at 4 bits it is about $2.5\sigma$.
#
# Let the data be Gaussian with standard deviation $\sigma = 1$ and density $f(x)$, with the outermost reconstructed values at $\pm c$ and $n$ steps between them; a symmetric quantizer of $b$ bits has $n = 2\,(2^{b-1} - 1)$. The granular noise is about $s^2/12$ with $s = 2c/n$. The formula of the overload noise was derived in [Information theory](01_information_theory.ipynb). Write $G(c)$ for the probability of $x > c$; the total noise is
#
# $$
# D(c) = \frac{c^2}{3n^2} + 2\left[(1 + c^2)\,G(c) - c\,f(c)\right]
# $$
#
# For the derivative use $G'(c) = -f(c)$ and $f'(c) = -c\,f(c)$; that of the overload term becomes $4\,[c\,G(c) - f(c)]$. Set the derivative to zero:
#
# $$
# f(c) - c\,G(c) = \frac{c}{6n^2}
# $$
#
# The left side falls with $c$ and the right side rises, so there is exactly one solution, to be found numerically. More bits make the right side smaller, and $c$ larger. This method is ACIQ ([Banner et al., 2019](references.ipynb)).

# %% slideshow={"slide_type": "skip"}
c = torch.linspace(0.5, 8, 75_001, dtype=torch.float64)
tail, density = torch.special.ndtr(-c), torch.exp(-(c**2) / 2) / (2 * math.pi) ** 0.5
rows, x = [], normal / normal.std()
for bits in (2, 3, 4, 5, 6, 8):
    n = 2 * (2 ** (bits - 1) - 1)
    solution = c[(density - c * tail < c / (6 * n**2)).nonzero()[0]].item()
    found = (fit(normal, bits, method=method) for method in ("aciq", "mse"))
    clips = [ends(quantizer)[1] / normal.std().item() for quantizer in found]
    noise = {}
    for k in torch.arange(1, 4.5, 0.02).tolist():  # the codes -n/2 … n/2, without qmin
        x_hat = 2 * k / n * (x * n / 2 / k).round().clamp(-n / 2, n / 2)
        noise[k] = (x - x_hat).square().mean().item()
    clips.append(min(noise, key=noise.get))
    rows.append((bits, *(f"{v:.2f}" for v in (solution, *clips))))
table("bits | c by the equation | aciq | mse | mse without qmin", rows)

# %% [markdown] slideshow={"slide_type": "skip"}
# The solution of the equation, `aciq` and the last column differ by less than two percent, even at 2 bits: there the step is $s = c = 1.24\sigma$, where $s^2/12$ still holds. (The granular noise of `quantcore` has the probability of $\lvert x \rvert \le c$ as another factor, hence the small difference from the equation.) The column `mse` is smaller at few bits, because it also uses the code $q_{\min}$, so that the range can be a little narrower; and it has only a hundred candidates.
#
# ### Ten million numbers, searched a hundred times ★
#
# This part shows how the search of `mse` is made fast, and can be skipped. Its result: searching on a histogram is practically as good, and about two orders of magnitude faster.
#
# By the definition, all data are quantized a hundred times. `quantcore` first turns the data into a histogram of 4081 bins, searches on that, and reads the data only a few times. 4081 is $255 \times 16 + 1$: each step of 8 bits is divided into 16 bins. Replacing a number by the representative of its bin moves it much less than rounding does.

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "skip"}
# Times belong to the machine, so this output is not compared.
big = samples.distribution("normal", 10**7).to(device)
start = time.perf_counter()
quick = fit(big, 8, method="mse")
quick_s = time.perf_counter() - start
start = time.perf_counter()
least = min(mse_by_fraction(big, 8))
full_s = time.perf_counter() - start
print(f"histogram {quick_s:.3f} s, full search {full_s:.1f} s, ratio {full_s / quick_s:.0f}")

# %% slideshow={"slide_type": "skip"}
print("MSE found by the histogram / MSE found by the full search")
print(f"ten million normal values: {error_report(big, quick).mse / least:.3f}")
ratio = error_report(outliers, fit(outliers, 8, method="mse")).mse / min(errors[8])
print(f"a hundred thousand, with outliers: {ratio:.3f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# The result is practically as good, and the search about two orders of magnitude faster (how much exactly depends on the machine).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 Static and dynamic ranges
#
# Weights are fixed, so their range is measured once. Activations change with the input. Where does their range come from? There are two ways:
#
# - **static**: run the network beforehand on representative inputs (the **calibration set**), collect activations, and fix $s$ and $z$ for good;
# - **dynamic**: compute the range for each input at run time. A dynamic range always fits, but it takes a pass over the data every time, and terms with $z$ cannot be computed beforehand (see [integer-only multiplication](04b_integer.ipynb)).

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask whether the test set may serve for calibration, and why not.

# %% [markdown] slideshow={"slide_type": "notes"}
# The calibration set must not be the test set, or the measured accuracy may come out too high. We calibrate on the training pictures of the network for handwritten digits, quantize the output of its second ReLU (512 numbers for each picture), and check on the test pictures.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### How many pictures it takes
#
# **[Compute]** The range is the maximum over $n$ calibration pictures. What is the probability that a new picture goes beyond it?
#
# <details><summary>Answer</summary>
#
# If the new picture comes from the same population as the calibration pictures, each of these $n + 1$ pictures is equally likely to have the largest activation. The probability that it is the new one is
#
# $$
# \frac{1}{n + 1}
# $$
# [[P12](06_summary.ipynb#All-formulas)]
#
# The prediction needs no knowledge of the distribution.
#
# </details>

# %% slideshow={"slide_type": "skip"}
network = samples.digits_network()
train, _, test, labels = samples.digits()
calibration_set, activations = (network[:4](images).flatten(1) for images in (train, test))

# %% tags=["predict"] slideshow={"slide_type": "skip"}
generator, rows = torch.Generator().manual_seed(0), []
peaks, test_peaks = calibration_set.amax(1), activations.amax(1)
for n in (1, 4, 16, 64, 256):
    beyond = []
    for _ in range(200):
        order = torch.randperm(len(peaks), generator=generator)
        reach = peaks[order[:n]].max()
        shares = ((values > reach).float().mean() for values in (peaks[order[n:]], test_peaks))
        beyond.append(torch.stack(list(shares)))
    shares = torch.stack(beyond).mean(0).tolist()
    rows.append((n, *(f"{share:.1%}" for share in (1 / (n + 1), *shares))))
table("pictures | beyond, predicted | other training pictures | test pictures", rows)

# %% [markdown] slideshow={"slide_type": "notes"}
# With some sixty pictures, less than 2% of new ones go beyond the range, and more pictures gain little. In practice one takes between a hundred and a thousand samples. In the last row the test pictures are slightly above the prediction: among 449 that is only two or three pictures, but it is a reminder that “from the same population” is always an approximation. How representative the calibration set is matters more than its size.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Ways to collect a range
#
# Data come in batches. With each batch you can remember the minimum and the maximum so far; or take a **moving average** of the maximum of each batch, $r \leftarrow 0.9\,r + 0.1\,r_{\text{new}}$, so that a chance extreme in one batch matters less; or save up the data (or a histogram of them), and choose by the methods of the last section. A dynamic range is often **per row**: each picture (each token in a language model) has its own $s$.

# %% slideshow={"slide_type": "skip"}
batches = calibration_set[:256].split(32)
largest_of = [batch.max() for batch in batches]
average = largest_of[0]
for new in largest_of[1:]:
    average = 0.9 * average + 0.1 * new
seen = torch.cat(batches)


def static(bits, method):
    """The unsigned quantizer that is fixed before the first test picture."""
    fixed = {"min-max": max(largest_of), "moving average": average}
    x = torch.stack([torch.zeros(()), fixed[method]]) if method in fixed else seen
    scheme = QuantizationScheme.from_bits(bits, signed=False)
    method = "minmax" if method in fixed else method
    return UniformQuantizer(QuantizationParams.from_tensor(x, scheme, method=method))


# %% slideshow={"slide_type": "skip"}
def dynamic(bits, x):
    """One range for each picture, taken from the picture itself."""
    scheme = QuantizationScheme.from_bits(bits, signed=False)
    return UniformQuantizer(QuantizationParams.from_tensor(x, scheme, axis=0))


# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Which way has the highest SQNR at 8 bits, and which at 2? And if the test pictures are only a quarter as bright (last column), how far apart are static and dynamic?

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
dim = network[:4](test / 4).flatten(1)
rows = []
for method in ("min-max", "moving average", "percentile", "mse", "entropy", "dynamic, per row"):
    row = [method]
    for bits, x in ((8, activations), (4, activations), (2, activations), (8, dim)):
        quantizer = dynamic(bits, x) if "dynamic" in method else static(bits, method)
        row.append(f"{sqnr_db(x, quantizer(x)):.1f}")
        if bits == 2:
            right = network[5:](quantizer(x)).argmax(1) == labels
            row.append(f"{right.float().mean():.3f}")
    rows.append(row)
table("method | 8 bits: dB | 4 bits: dB | 2 bits: dB | accuracy | dim, 8 bits: dB", rows)
print(f"accuracy in float: {(network[5:](activations).argmax(1) == labels).float().mean():.3f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# - At 8 bits the static ways differ little, except for `percentile`: the output of the second ReLU has no outliers that stand out.
# - At 2 bits the SQNRs move apart, with `mse` highest, because it clips according to the bit width. The SQNR of `entropy` is 3 dB lower and its accuracy only half a point, two pictures; with 449 pictures accuracy has a sampling error of about 1 point, and cannot rank the methods.
# - A dynamic range fits each picture, and is over 2 dB better at 8 bits; but it still takes the maximum of each picture, so at 2 bits it is worse than `mse`. With darker pictures most of the static range is idle, which puts it 10 dB or more behind; the dynamic range is not affected. The price is another pass over the data at run time.

# %% [markdown] slideshow={"slide_type": "skip"}
# Yet another way is to make the range a parameter and to train it with the weights. **PACT** learns the upper end $\alpha$ of a ReLU: $\hat x$ is $x$ clipped to $[0, \alpha]$ and quantized, and the gradient of the loss with respect to $\alpha$ comes from the clipped values only ([Choi et al., 2018](references.ipynb)). **LSQ** learns the step $s$ itself ([Esser et al., 2020](references.ipynb)), with the gradient
#
# $$
# \frac{\partial \hat x}{\partial s} = \operatorname{rint}\!\left(\frac xs\right) - \frac xs
# $$
# [[Q6](06_summary.ipynb#All-formulas)]
#
# This holds inside the range. Outside, the gradient is the outermost code (for $z = 0$). [The uniform quantizer](04_quantizer.ipynb) derives and checks this formula.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6 Granularity
#
# An outlier harms only the numbers that share its $s$. How many numbers share one $s$ is the [**granularity**](glossary.ipynb#Parameters).
#
# - **per tensor**: one $s$ for the whole tensor;
# - **per channel**: one $s$ for each output channel, common for the weights of convolutions ([Krishnamoorthi, 2018](references.ipynb));
# - **per group**: one $s$ for every $g$ numbers along the last dimension.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask how many numbers should best share an s. It leads to the price.

# %% tags=["fold"]
schematics.granularities()

# %% [markdown] slideshow={"slide_type": "subslide"}
# But $s$ takes bits, too; [the last chapter](02_schemes.ipynb#Scales-take-bits-as-well) counted them. When every $g$ weights of $b$ bits share an $s$ of 32 bits, a weight takes on average
#
# $$
# b + \frac{32}{g} \text{ bits}
# $$
# [[P8](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# 4-bit formats often store $s$ in 16 bits (fp16), which is $b + 16/g$; asymmetric adds the bits of $z$. QLoRA goes further: it quantizes these scales, one for every 64 weights, to 8 bits in groups of 256, with one 32-bit number for each group ([Dettmers et al., 2023](references.ipynb)).

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** With 4 bits and $g = 64$, how many bits does a weight take in each case: $s$ in fp32; $s$ in fp16; $s$ in fp16 and a $z$ of 4 bits; the two stages of QLoRA? Enter the third.

# %%
exercises.predict("zero-point-bits")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
g = 64
for name, extra in {
    "fp32 scale": 32, "fp16 scale": 16, "fp16 scale, 4-bit zero point": 16 + 4,
    "8-bit scale, fp32 for 256 of them": 8 + 32 / 256,
}.items():
    print(f"{name:35} {4 + extra / g:.4f} bits per weight")
w = samples.digits_network()[5].weight.view(-1, g)
p = QuantizationParams.from_tensor(w, INT4, axis=0)
packed, scales = pack_int4(UniformQuantizer(p).quantize(w)), p.scale.half()
print(f"counted in bytes, fp16 scale        {8 * (packed.nbytes + scales.nbytes) / w.numel():.4f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# Does rounding $s$ to fp16 lose precision? fp16 has 11 significant bits, a relative error of at most $2^{-11}$. The error of 4-bit quantization is around ten percent of the signal, which hides it.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Compare by the bits that are really stored. 4 bits in groups of 32 (an $s$ in fp16, 4.5 bits in all): where does its SQNR lie between 4 bits per tensor and 5 bits per tensor? And with an outlier?

# %% [markdown] slideshow={"slide_type": "notes"}
# In the network for handwritten digits the convolution's weight has the shape `(32, 16, 3, 3)`, with each output channel flattened to a row. The last column is the same linear layer with one weight set to 8 times the maximum.

# %% tags=["predict", "fold"] slideshow={"slide_type": "fragment"}
layers = [network[i].weight.flatten(1).to(device) for i in (2, 5, 5)]
layers[2] = layers[2].index_put((torch.tensor(0), torch.tensor(0)), 8 * layers[2].abs().max())
cases = [(4, "tensor", {}), (5, "tensor", {}), (4, "channel", {"axis": 0})]
cases += [(4, f"group {g}", {"group_size": g}) for g in (64, 32, 16)]
rows = []
for bits, name, options in cases:
    row = [f"INT{bits} {name}"]
    for w in layers:
        quantizer = fit(w, bits, **options)
        stored = bits + 16 * quantizer.params.scale.numel() / w.numel()
        row += [f"{stored:.2f}", f"{sqnr_db(w, quantizer(w)):.1f}"]
    rows.append(row)
table("layout | conv: bits | dB | linear: bits | dB | with an outlier: bits | dB", rows)

# %% [markdown] slideshow={"slide_type": "notes"}
# - In the two layers without an outlier, groups of 64 and of 32 lie a little above the straight line between the points of 4 and 5 bits. The linear layer in groups of 32, for example, takes 4.5 bits; the line is at about 19.8 dB there, the measured value nearly 2 dB higher. Groups of 16 take 5 bits and do not reach 5 bits per tensor; nor do groups of 32 with an $s$ of 32 bits.
# - With an outlier, per tensor suffers far more than groups. The more it stands out, the more a fine granularity is worth.
# - The bits of the convolution are a little more than $4 + 16/g$: 144 is no multiple of 64 or 32, so each row ends with a shorter group.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Try]** Each row of the heat map is an output channel. Switch “granularity”: how do the error and the SQNRs of the rows change? Which row gains most? (bits/weight below the figure counts an $s$ of 32 bits.)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Switch granularity only, and let students watch one row.

# %%
explore.granularity(layers[1][:, :64].contiguous().cpu(), bits=4, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The finer the granularity, the paler the error, the higher the SQNR. Row 8 gains most: its weights are small, and its SQNR lowest with one common $s$. A row has only 64 numbers, so some even lose a little by chance.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Which dimension the channels are
#
# **[Predict]** Are output channels always dimension 0? And in `ConvTranspose2d`?

# %%
exercises.predict("transposed-axis")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# No. In the weights of `Linear` and `Conv2d`, dimension 0 holds the output channels. The weight of `ConvTranspose2d` (a transposed convolution) has the shape `(in, out, kH, kW)`, with output channels in dimension 1. With `groups` it is `(in, out / groups, kH, kW)`, and a slice of dimension 1 mixes the output channels of all groups, which must be taken apart first. With the wrong dimension, nothing is reported; the error is just larger.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# Let eight output channels double in size from one to the next, and quantize along either dimension:

# %% tags=["predict"]
generator = torch.Generator().manual_seed(0)
for kind, outputs in ((torch.nn.Conv2d, 0), (torch.nn.ConvTranspose2d, 1)):
    name, shape = kind.__name__, kind(16, 8, 3).weight.shape
    size = 2.0 ** torch.arange(8).view([-1 if d == outputs else 1 for d in range(4)])
    w = torch.randn(shape, generator=generator) * size
    for axis in (0, 1):
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(w, INT4, axis=axis))
        e = ((w - quantizer(w)) / size).square().mean().item()
        print(f"{name:15} {tuple(shape)!s:16} axis={axis}   MSE in each channel's unit {e:.3f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# With the right dimension, each channel's error is in proportion to its size. With the wrong one, small channels share $s$ with large ones, and become nearly all 0.

# %% [markdown] slideshow={"slide_type": "notes"}
# Can activations be per channel, too? Not along input channels: an $s$ that changes along the sum cannot be taken out of it ([Integers only](04b_integer.ipynb) derives it). But **per row** is possible, an $s$ for each row (each picture, each token). It can be taken out, and is common in large language models ([Dettmers et al., 2022](references.ipynb)). Per-group scales change along the sum, too, so each group is summed by itself and multiplied by its $s$ before the groups are added.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7 Bad input
#
# What does the tutorial code do with tiny numbers, with all zeros, with NaN? It puts a floor of $10^{-8}$ under $s$ so as not to divide by 0, so all zeros are no problem. For tiny numbers this floor is too large, and everything becomes 0. That is mistake ③. NaN is not checked and is passed straight on, which is mistake ④.

# %% slideshow={"slide_type": "fragment"}
for name, values in {
    "tiny": [1e-9, -1e-9, 5e-10], "all zeros": [0.0, 0.0, 0.0], "NaN": [1.0, torch.nan],
}.items():
    x = torch.tensor(values)
    print(f"{name:10} tutorial ", *through(x, *tutorial_params(x, INT8), INT8))
    if not x.isnan().any():
        p = fit(x, 8, symmetric=False).params
        print(f"{'':10} quantcore", *through(x, p.scale, p.zero_point, INT8))

# %% [markdown] slideshow={"slide_type": "notes"}
# The principle of `quantcore`: what can be computed is computed correctly, and for what cannot, the reason is given. Each error message has three parts: which argument is wrong, what was found, and what to do. With this, all four mistakes are mended.

# %% slideshow={"slide_type": "skip"}
bad = {
    "NaN": lambda: QuantizationParams.from_tensor(torch.tensor([1.0, torch.nan]), INT8),
    "infinity": lambda: QuantizationParams.from_tensor(torch.tensor([1.0, torch.inf]), INT8),
    "empty": lambda: QuantizationParams.from_tensor(torch.empty(0), INT8),
    "axis": lambda: QuantizationParams.from_tensor(torch.ones(2, 3), INT8, axis=2),
}
for what, call in bad.items():
    try:
        call()
    except (TypeError, ValueError) as error:
        print(f"{what:9} {type(error).__name__}: {error}")

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# These exercises are for after class. Write your answer first, then run the next cell to check it. If it does not pass, you get the smallest counterexample and hints. An exercise that you have not begun is only reported as unfinished.

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (5 minutes, difficulty 1/3) Write `my_scale(x, bits)`: `x` is a float tensor, `bits` the bit width; it returns the scale of signed symmetric quantization that puts the largest magnitude exactly on the largest code, one number.

# %% slideshow={"slide_type": "skip"}
def my_scale(x, bits):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("symmetric-scale", my_scale)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_scale(x, bits):
#     return x.abs().max() / (2 ** (bits - 1) - 1)
# ```
#
# The largest magnitude corresponds to the largest code, $2^{b-1} - 1$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (4 minutes, difficulty 1/3) Write `my_ends(x)`: `x` is a float tensor; it returns the two ends of the smallest range that contains all data and 0, two numbers.

# %% slideshow={"slide_type": "skip"}
def my_ends(x):
    return ...  # low, high

# %% slideshow={"slide_type": "skip"}
exercises.check("range-with-zero", my_ends)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_ends(x):
#     return min(x.min().item(), 0.0), max(x.max().item(), 0.0)
# ```
#
# When all data are positive the lower end is 0, when all are negative the upper end is 0.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (8 minutes, difficulty 2/3) Write `my_zero_point(lo, hi, qmin, qmax)`: the data lie in `[lo, hi]` (which may not contain 0), the codes run from `qmin` to `qmax`; it returns the zero point of asymmetric quantization, an integer. `lo` and `hi` are not both 0.

# %% slideshow={"slide_type": "skip"}
def my_zero_point(lo, hi, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("zero-point", my_zero_point)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_zero_point(lo, hi, qmin, qmax):
#     lo, hi = min(lo, 0.0), max(hi, 0.0)
#     s = (hi - lo) / (qmax - qmin)
#     return round(qmin - lo / s)
# ```
#
# Widen the range first, then find $s$ and $z$: after that $z$ is certainly in $[q_{\min}, q_{\max}]$, and nothing needs to be clipped.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (8 minutes, difficulty 2/3) Of the 1024 numbers below, one in 1000 is 20 times as large: `samples.distribution("outliers", 1024)`. Choose settings with an SQNR of at least 18 dB and at most 4.5 bits on average (with one float16 scale for each group). `bits` is 2 to 8, `group_size` an integer or `None` (per tensor), `method` is `"minmax"`, `"percentile"` or `"mse"`. Have a sentence ready to defend your choice.

# %% slideshow={"slide_type": "skip"}
my_settings = {"bits": ..., "group_size": ..., "method": ...}

# %% slideshow={"slide_type": "skip"}
exercises.check("choose-range", my_settings)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# my_settings = {"bits": 4, "group_size": 32, "method": "mse"}
# ```
#
# With one scale for the whole tensor, either the step is too large or the outliers are clipped, and no method reaches 18 dB within the budget. In groups, an outlier affects only its own group; groups of 32 add $16/32 = 0.5$ bits to each weight.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (5 minutes, difficulty 1/3) Write `my_axis(layer)`: `layer` is a fully connected layer, a convolution or a transposed convolution of `torch.nn`; it returns the dimension of the output channels in its weight.

# %% slideshow={"slide_type": "skip"}
def my_axis(layer):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("channel-axis", my_axis)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_axis(layer):
#     return 1 if "Transpose" in type(layer).__name__ else 0
# ```
#
# The sizes do not tell: there may be as many input channels as output channels.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Discussion
#
# **[Think]** Should outliers be protected? Give an example where they should, and one where they should not. How large should a calibration set be, and which samples should be in it?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Discuss for 8 minutes. Whether outliers should be protected leads by itself to the methods for large language models.

# %% [markdown] slideshow={"slide_type": "skip"}
# How far have you come in the whole course? The next cell shows it:

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# - Asymmetric quantization: $s = (x_{\max} - x_{\min})/(q_{\max} - q_{\min})$, $z = \operatorname{rint}(q_{\min} - x_{\min}/s)$; $z$ is an integer, the code of 0.0. The error at the ends of the range is $s\,(z - z^*)$, at most $s/2$.
# - Widen the range to contain 0 first. Otherwise $z$ is clipped and the mistake cannot be seen: $[2, 3]$ all becomes 1. The cost is the ratio of the widths: $[2, 3]$ loses 9.5 dB, data on both sides of 0 lose nothing.
# - Signed symmetric divides by $2^{b-1} - 1$. Unsigned symmetric divides by $2^b - 1$, and the data must not be negative. With $2^{b-1}$ the largest positive value is off by one step, with $(2^b - 1)/2$ by half a step. With many numbers and few bits these two are better; with 8 bits and a few dozen numbers in a group it is the reverse.
# - While the step is small, each doubling of an outlier takes 6.02 dB from the others. Clipping makes the step finer, and loses the outlier; the fewer bits, the more clipping is worth.
# - The range of activations comes from a calibration set, never from the test set. With the maximum of $n$ pictures as the range, a new picture goes beyond it with a probability of about $1/(n+1)$.
# - A finer granularity usually means less error, and more storage for $s$: $b + 16/g$ bits for each weight ($s$ in fp16) or $b + 32/g$ (in fp32). Output channels are not always dimension 0.

# %% [markdown] slideshow={"slide_type": "skip"}
# Next: [The uniform quantizer](04_quantizer.ipynb). With the parameters in hand, three steps remain, and their order must not be changed.
