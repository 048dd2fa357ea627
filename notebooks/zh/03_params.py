# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 量化参数：缩放因子和零点怎样定
#
# 一个编码究竟代表多大的实数？上一章数清了编码有多少个，却还没有回答这个问题。答案由两个参数决定：[**缩放因子**](glossary.ipynb#量化参数)（scale）$s$ 和[**零点**](glossary.ipynb#量化参数)（zero point）$z$。
#
# 计算这两个参数的代码只有两三行，许多教程里都能见到下面这样的写法，本课称之为“常见写法”：
#
# ```python
# s = max((x.max() - x.min()) / (qmax - qmin), 1e-8)
# z = clamp(round(qmin - x.min() / s), qmin, qmax)
# ```

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先请学生在这两行代码里找错，找到一处写一处；下课前回来对照，三处找全的有几人（第 ② 处不在这两行里）。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 常见写法有四处错误。我们先自己推导公式，再逐处找出错误并改正：
#
# - ① 范围可能不含 0（第 2 节）；
# - ② 无符号对称时除以 0（那一行没有印在这里，[量化方案](02_schemes.ipynb)一章已经讲过，第 3 节给出正确的公式）；
# - ③ 缩放因子的下限 $10^{-8}$ 过大（第 7 节）；
# - ④ 没有检查 NaN（第 7 节）。

# %% [markdown] slideshow={"slide_type": "skip"}
# **学完这一章，你能：**
#
# - 从数据的范围手算 $s$ 和 $z$，并说出范围两端的误差有多大；
# - 说明 0 为什么必须精确、范围为什么必须包含 0，算出这样做的代价，并指出哪些格式不这样做；
# - 在对称和非对称之间选择，说明三种对称约定各差多少、什么时候要紧；
# - 预测一个离群值的后果，选择一种校准方法，并说出这种方法的代价；
# - 为激活值收集范围，预测需要多少张校准图片；
# - 选择粒度，算出每个权重连同缩放因子一共占几位。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 部分 | 时间 |
# |:--|:--|
# | 1 从范围到 $s$ 和 $z$ | 10 分钟 |
# | 2 零必须精确 | 12 分钟 |
# | 3 对称与非对称 | 13 分钟 |
# | 4 离群值与校准 | 20 分钟 |
# | 5 静态范围与动态范围 | 13 分钟 |
# | 6 粒度 | 17 分钟 |
# | 7 坏的输入 | 3 分钟 |
# | 练习 | 30 分钟 |
# | 小结 | 2 分钟 |
# | ★ 选读 | 15 分钟 |
#
# 输出通道、卷积的填充（padding）、ReLU 这几个词的意思，见[网络的最少知识](00_start.ipynb#网络的最少知识)。代码里的 `fit(x, b)` 从数据 $x$ 求出 $s$ 和 $z$，返回 $b$ 位的量化器。

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
explore.set_language("zh")

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
# ## 1 从范围到 $s$ 和 $z$
#
# 反量化的公式是 $\hat x = s\,(q - z)$。其中有两个未知数，所以需要两个方程：数据范围的两端，应当对准编码的两端。
#
# $$
# \begin{aligned}
# x_{\min} &= s\,(q_{\min} - z) \\
# x_{\max} &= s\,(q_{\max} - z)
# \end{aligned}
# $$

# %% [markdown] slideshow={"slide_type": "subslide"}
# 下图是 3 位、范围 $[-1, 2]$ 的例子。其中 $z$ 已经舍入成整数，两端没有完全对准。

# %% tags=["fold"]
schematics.number_line()

# %% [markdown] slideshow={"slide_type": "subslide"}
# 两式相减，$z$ 消去：
#
# $$
# s = \frac{x_{\max} - x_{\min}}{q_{\max} - q_{\min}}
# $$
# 〔[P2](06_summary.ipynb#公式总表)〕

# %% [markdown]
# 代回第一式，得 $z^* = q_{\min} - x_{\min}/s$。$z^*$ 一般不是整数，而 $z$ 要和编码一样是整数，所以先把 $z^*$ 舍入到最近的整数（rint）。如果落在编码的范围之外，就取端点，这一步叫**饱和截断**（clipping，也叫限幅、饱和），以下简称截断：
#
# $$
# z = \operatorname{clamp}\!\left(\operatorname{rint}(z^*),\ q_{\min},\ q_{\max}\right)
# $$
# 〔[P3](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# ONNX 的算子 DynamicQuantizeLinear 就是这样规定的，半整数舍入到偶数（[ONNX，2024](references.ipynb)）。用整数零点的做法出自 [Jacob 等，2018](references.ipynb)，作者的代码把半整数向远离零的方向舍入；两者只在 $z^*$ 恰为半整数时才可能相差 1。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 数据在 $[-1, 3]$，采用 INT8。$z$ 是多少？注意正负号。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先只问正负号，举手表决，再算数值。答 +64 的人把零点当成了偏移的距离。

# %%
exercises.predict("zero-point-sign")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $z = -64$，是负数。$z$ 是实数 0 的编码；0 靠近范围的左端，它的编码就靠近 $q_{\min} = -128$。代入数值：$s = 4/255$，$z^* = -128 + 1/s = -64.25$，舍入得 $z = -64$。常见的错误是写成 $+64$。
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
# ### 范围两端的误差
#
# 对 $z^*$ 舍入是有代价的：所有的重建值一起平移，范围的两端就不再恰好是重建值。
#
# **【计算】** 范围两端的误差最大是多少个 $s$？
#
# <details><summary>参考答案</summary>
#
# 最大是半个 $s$。由 $z^*$ 的定义，$x_{\min} = s\,(q_{\min} - z^*)$；而编码 $q_{\min}$ 现在代表 $s\,(q_{\min} - z)$。左端的误差是
#
# $$
# e = x_{\min} - \hat x_{\min} = s\,(q_{\min} - z^*) - s\,(q_{\min} - z) = s\,(z - z^*), \qquad \lvert e \rvert \le \frac{s}{2}
# $$
# 〔[P9](06_summary.ipynb#公式总表)〕
#
# 右端同理，误差也是 $s\,(z - z^*)$。只有 $z^*$ 恰为半整数时，两端误差的符号才可能不同。
#
# </details>

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请一人上黑板，从两个方程推到 s (z − z*)。

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
# 三列误差相同，都在 $\pm 0.5$ 之间。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 零必须精确
#
# $z$ 为什么要是整数？如果 $z$ 不是整数，就没有一个编码恰好代表 0。神经网络里 0 到处都是：卷积的填充，ReLU 的输出，剪枝（把小的权重改成 0）之后的权重。设 0 的误差是 $\delta$，那么每一个 0 都带着**同样的** $\delta$。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 追问：一张图片四周填充一圈零，这些零各带同样的误差，输出会怎样？

# %% [markdown] slideshow={"slide_type": "subslide"}
# 这些误差会怎样累积？网络的一层把输入乘以权重 $w_k$ 再相加，所有的 0 合起来给输出带来的偏差是
#
# $$
# \delta \sum_{k:\,x_k = 0} w_k
# $$

# %% [markdown] slideshow={"slide_type": "notes"}
# 权重都相同时（例如平均池化），偏差等于 0 的个数乘以这个权重，再乘以 $\delta$。权重有正有负时，偏差要小得多，但偏差取决于哪些输入是 0，输入一变就变，在卷积的边缘和中间也不同，所以无法预先并进偏置。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 我们来验证。4 位无符号对称量化的重建值是 $0, s, 2s, \dots$；另一个量化器的重建值是 $\tfrac12 s, \tfrac32 s, \dots$，0 变成了 $\tfrac12 s$，所以误差 $\delta = -\tfrac12 s$。

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
# ### 范围必须包含 0
#
# “我的数据在 $[2, 3]$，所以 $x_{\min} = 2$。”听起来没有错。
#
# **【预测】** 按上一节的公式，采用 INT8，舍入后、截断前的 $z$ 是多少？用截断后的 $z$ 量化 $2$、$2.5$、$3$，三个重建值是多少？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先让全班同意“范围是 [2, 3]”，再揭晓 1、1、1。这是全章最能让人记住的一页。

# %%
exercises.predict("unclamped-zero-point")

# %%
exercises.predict("range-without-zero")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $s = 1/255$，$z^* = -128 - 2 \cdot 255 = -638$，在编码的范围之外。截断之后 $z = -128$，两个方程不再成立，而程序照样往下走。三个数除以 $s$ 再加 $z$ 都超过 127，全部截断成 127，重建值都是 $s\,(127 + 128) = 1$。
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
# 常见写法把三个数都变成了 1，把两个 5 都变成了几乎是 0 的数，没有任何报错。$z$ 一截断，错误就看不见了。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 改正只需要一步：先把范围扩大到包含 0。
#
# $$
# x_{\min} \leftarrow \min(x_{\min}, 0), \qquad x_{\max} \leftarrow \max(x_{\max}, 0)
# $$
# 〔[P1](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 于是 $0 \le -x_{\min}/s \le q_{\max} - q_{\min}$，$z$ 自然落在编码的范围里，截断只用来防备浮点运算的误差。$[2, 3]$ 得到 $s = 3/255$，而且 0 总是精确的。第 ① 处错误改正了。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 包含零的代价
#
# 这一步不是免费的：$[2, 3]$ 的步长变成了原来的三倍，$[0, 2]$ 里的编码全都闲着。
#
# **【计算】** 对 $[2, 3]$ 上均匀分布的数据，扩大范围使 SQNR 损失多少分贝？
#
# <details><summary>参考答案</summary>
#
# 噪声功率是 $s^2/12$，步长之比就是范围的宽度之比，所以损失是
#
# $$
# 20 \log_{10} \frac{\max(x_{\max}, 0) - \min(x_{\min}, 0)}{x_{\max} - x_{\min}}\ \text{dB}
# $$
# 〔[P10](06_summary.ipynb#公式总表)〕
#
# 代入得 $20 \log_{10} 3 = 9.54$ dB，相当于 1.6 位。
#
# </details>

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 问：什么数据会吃亏？引出“离零比自己的宽度还远”。

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
# 只有数据整个偏在 0 的一侧，而且离 0 的距离比自身的宽度还大时，代价才可观。权重和激活值的范围通常本来就包含 0，这时代价是零。

# %% [markdown] slideshow={"slide_type": "notes"}
# 有些格式不做这一步。llama.cpp 的 Q4_1 存的是 $s$ 和最小值 $m$，重建值是 $s\,q + m$；PyTorch 的 `per_channel_affine_float_qparams` 用浮点数的零点。这些格式只量化权重，相乘之前先还原成浮点数，0 又不多，不精确也无妨。

# %% [markdown] slideshow={"slide_type": "notes"}
# 那么，不截断、直接用 $z = -638$ 行不行？算术上行得通，步长也确实细到三分之一。但 0 仍然没有编码；$z$ 存不进编码的整数类型；$q - z$ 最大到 765，整数乘法的累加器要多留位数。只要想用整数做乘法、又有填充和 ReLU，$z$ 就应当是一个编码。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 对称与非对称
#
# **对称**（symmetric）量化规定 $z = 0$，只剩一个未知数。有符号时，
#
# $$
# s = \frac{\max \lvert x \rvert}{q_{\max}}, \qquad q_{\max} = 2^{b-1} - 1
# $$
# 〔[P4](06_summary.ipynb#公式总表)〕

# %% [markdown]
# 无符号时，编码从 0 开始，只能表示没有负数的数据，除数是 $q_{\max} = 2^b - 1$：
#
# $$
# s = \frac{x_{\max}}{2^b - 1}
# $$
# 〔[P7](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 上一章已经看到，常见写法在这里用 $\min(\lvert q_{\min}\rvert, q_{\max}) = 0$ 作除数，这是第 ② 处错误。一旦出现负数就应当报错，因为没有可以表示负数的编码。

# %% [markdown] slideshow={"slide_type": "notes"}
# 若 $z$ 由数据的范围决定，则称为**非对称**（asymmetric）量化，前两节讲的就是非对称量化。

# %% [markdown] slideshow={"slide_type": "notes"}
# 对称的好处在整数乘法：两个因子都对称时，带零点的项全部消失（见[只用整数的乘法](04b_integer.ipynb)）。坏处是数据偏在一边时，另一边的编码就浪费了。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** ReLU 的输出没有负数。采用 8 位有符号对称，SQNR 比 8 位无符号对称低多少分贝？8 位有符号非对称又怎样？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 猜 3 dB 的人把功率和步长弄混了。

# %%
exercises.predict("relu-loss")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 有符号对称只用到编码 0 到 127，数据的范围分成 127 步；另外两种都分成 255 步，结果相同。步长之比约等于 2，所以 SQNR 相差 $20\log_{10}(255/127)$，约 6 dB，也就是白白少了 1 位。
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
# ### 三种约定
#
# 有符号对称时，$\max\lvert x\rvert$ 除以几？常见的约定有三种：
#
# | 除数 | INT8 | 最大的数为正时 | 谁在用 |
# |:--|:--|:--|:--|
# | $2^{b-1} - 1$ | 127 | 精确 | `quantcore` 的默认；TensorFlow Lite 的权重（[Google，2024](references.ipynb)）和 TensorRT 的权重（[NVIDIA，2023](references.ipynb)），这两家的编码只用 $[-127, 127]$ |
# | $2^{b-1}$〔[P5](06_summary.ipynb#公式总表)〕 | 128 | 截断，误差 $s$ | 定点数的 Q 格式；llama.cpp 的 Q4_0；`quantcore` 的 `full_range=True` |
# | $(2^b - 1)/2$〔[P6](06_summary.ipynb#公式总表)〕 | 127.5 | 误差 $s/2$ | PyTorch 的观察器（observer），编码取 $[-128, 127]$ 时 |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 不必逐行讲。只说三件事：除以几，谁在用，8 位几乎无所谓。

# %% [markdown] slideshow={"slide_type": "notes"}
# 关于这张表，还有四点说明：
#
# - `quantcore` 除以 127，但仍然允许编码 $-128$。取最小值到最大值作范围时用不到 $-128$；用别的方法选范围时，截断的负数会落在 $-128$ 上。所以下文写范围时，两端都写。
# - Q4_0 让绝对值最大的那个数对准编码 $-8$，并允许 $s$ 是负数。例如最大的数是 $+4$，则 $s = 4/(-8) = -0.5$，$+4$ 是精确的，截断的是另一端。
# - PyTorch 的规则其实是除以 $(q_{\max} - q_{\min})/2$，编码改取 $[-127, 127]$ 时就是 127。
# - 还有别的约定。例如 torchao 有一种取 $s = \max(x_{\max}/127,\ -x_{\min}/128)$，编码可以全部用上，而且不截断。

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
# 选哪一种要紧吗？除以 $2^{b-1}$ 比除以 $2^{b-1} - 1$ 步长更细，但最大的数是正数时要付出误差 $s$。设一共有 $n$ 个数共用 $s$，最大的数正负机会各半，那么这个误差的平方，平摊到每个数上平均是 $\tfrac{s^2}{2n}$；除以 $2^{b-1} - 1$ 时最大的数没有误差。其余 $n - 1$ 个数，两种约定的噪声功率都是各自的 $s^2/12$。相比之下，除以 $2^{b-1}$ 的增益是
#
# $$
# 20 \log_{10} \frac{2^{b-1}}{2^{b-1} - 1} - 10 \log_{10}\!\left(1 + \frac{6}{n-1}\right)\ \text{dB}
# $$
# 〔[P11](06_summary.ipynb#公式总表)〕
#
# **【预测】** 8 位、每 64 个数共用一个 $s$ 时，哪一种好？十万个数时呢？

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
# 8 位时，一组只有 16 个数，除以 127 好 1.4 dB；64 个数时还好 0.3 dB；到一千个数以上，三种约定几乎没有差别。4 位时，16 个数还是除以 7 好，64 个数以上就是除以 8 好。式中增益为零的 $n$，8 位约为 380，4 位约为 20。
#
# 这张表用的是高斯数据。均匀分布的数据，靠近最大值的数很多，被截断的就不止一个；位宽极低时，$s^2/12$ 也未必成立：

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
# 高斯数据在 3、4 位时与预测一致。2 位不一致：除以 $2^{b-1} - 1 = 1$ 时步长有 $4.5\sigma$，实际的噪声远小于 $s^2/12$；除以 2 时步长是 $2.25\sigma$，$s^2/12$ 仍然基本成立。均匀数据在 3、4 位时是中间的 $(2^b - 1)/2$ 最好。没有哪一种约定处处占优，重要的是说明采用的是哪一种。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 离群值与校准
#
# 对称量化的范围取最小值到最大值时，步长只由最大的绝对值决定。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【操作】** 一万个数里，有一个变成标准差的 64 倍，这样的数叫**离群值**（outlier）。先猜一猜：8 位时，其余 9999 个数的误差会怎样？4 位时呢？然后拖动“离群值”，再换不同的位宽，看左图底部的短线（levels，即重建值）和右图的虚线（$s/2$）。图下的 SQNR 把离群值自己也算在内，后面的表只算其余的数。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先猜其余 9999 个数的命运，再拖。每翻一倍停一下，让学生报出 SQNR 少了几分贝。

# %% slideshow={"slide_type": "subslide"}
explore.outlier(samples.distribution("normal"), bits=8, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 原来最大的数约为 $4\sigma$。变成 $64\sigma$ 以后，步长是原来的 16 倍，其余各数的噪声功率是 256 倍，SQNR 少 24 dB，相当于少 4 位。
#
# 4 位更糟：$s = 64\sigma/7$，半个步长是 $4.6\sigma$，其余的数全部舍入到 0。
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# 离群值自己几乎没有误差，代价全由别的数承担。$s$ 正比于最大值，噪声功率 $s^2/12$ 正比于最大值的平方。所以，只要步长还不到 $2\sigma$ 左右（$s^2/12$ 成立），最大值每翻一倍，其余各数的 SQNR 就少 6.02 dB。步长再大，其余的数就都成了 0，噪声等于这些数自己的功率 $\sigma^2$，SQNR 是 0 dB，不会再低。

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
# 8 位时每行少约 6 dB，预测和实测一致。4 位的后三行步长超过 $2\sigma$，预测逐渐失效，SQNR 降到 0 dB。

# %% [markdown] slideshow={"slide_type": "notes"}
# 可见“取最小值到最大值总是最保险”是错觉：它可能保住一个数，却牺牲其余所有的数。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 五种校准方法

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 五种方法各用一句话：谁保守，谁大胆，谁不看位宽。

# %% [markdown] slideshow={"slide_type": "notes"}
# [**校准**](glossary.ipynb#量化参数)（calibration）就是根据数据选择范围。范围缩小，步长变细，可是范围以外的数被截断。

# %% [markdown]
# | 方法 | 怎样选范围 | 代价 |
# |:--|:--|:--|
# | `minmax` | 最小值到最大值 | 一个离群值就毁掉步长 |
# | `percentile` | 舍去最外侧的一小部分，默认 0.1%；非对称时两边各舍去这么多 | 比例与位宽无关，与离群值的多少也无关，所以舍去的可能太多，也可能太少 |
# | `mse` | 把范围缩小到 1%、2%……100%，取均方误差最小的 | 只看误差的大小，不看哪个数重要；非对称时两端按同一比例缩小；如果离群值超过有用范围的一百倍，1% 也不够小 |
# | `entropy` | 同样试一百个范围，取量化前后分布差别（KL 散度）最小的 | 要用大量的数把直方图填满，否则选得太宽（见下面的选读） |
# | `aciq` | 把数据当作高斯分布，由均值和方差算出 | 数据不像高斯分布就不准 |

# %% [markdown] slideshow={"slide_type": "notes"}
# `mse` 是最直接的方法：目标就是均方误差，把候选的范围逐个试一遍。写出来只有几行：

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
# 8 位时两者差一档，均方误差只差千分之一：`quantcore` 为了快，是在直方图上搜索的（见下面的选读）。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 把三种位宽的误差画成曲线，三条曲线在图的哪一边几乎重合？谷底左边、右边各是什么噪声？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生先在纸上画三条曲线的样子。

# %% tags=["predict", "fold"] slideshow={"slide_type": "fragment"}
sheet = Sheet(1)
for (bits, noise), color in zip(errors.items(), (RED, GREEN, BLUE), strict=True):
    sheet.line(0, f"INT{bits}", range(1, 101), noise, color=color)
best = {f"int{bits}": noise.index(min(noise)) + 1 for bits, noise in errors.items()}
sheet.frame(0, "noise against range", "percent of the largest value", "MSE", yscale="log")
sheet.legend(0, loc="lower left")
sheet.show("03-noise-over-range", **best)

# %% [markdown] slideshow={"slide_type": "notes"}
# 在左边几乎重合：谷底左边主要是过载噪声，截断多少与位宽无关。谷底右边主要是颗粒噪声，位宽越低就越高，所以 4 位的谷底最靠左。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【操作】** 下面的数据里，每一千个数有一个放大到二十倍。先预测：4 位时，`minmax`、`percentile`、`mse` 三种方法的 SQNR 从低到高怎样排列？8 位时呢？然后切换“校准”，再切换位宽。图里是一万个数，后面的表是十万个数，所以数值略有不同。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 顺序题，先写再看。切到 8 位时停下来问：为什么 minmax 忽然变好了？

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
# 两种位宽都是 `mse` 最高。这并不奇怪：SQNR 正是它的目标，而且 100% 也在候选之中，所以不会低于 `minmax`。8 位时第二名是 `minmax`：步长已经够细，截断多了得不偿失。`entropy` 4 位时只差 0.2 dB，8 位时却低得多；SQNR 不是它的目标，要公平地比较，应当看网络的准确率（第 5 节的表）。`percentile` 舍去 0.1%，实际截断的却不到 0.1%，因为最外的重建值以外半个步长以内的数，仍然舍入到这个重建值，负的一侧还多一个编码 $-8$。

# %% [markdown] slideshow={"slide_type": "notes"}
# ### 最佳截断范围随位宽而变
#
# 再换成没有离群值的高斯数据，从 2 位到 8 位。各种方法选的范围会随位宽变吗？

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
# - `mse`：位宽越低，范围越窄。这正是[信息论基础](01_information_theory.ipynb)一章里颗粒噪声和过载噪声的权衡。
# - `percentile`：正端不随位宽变。对这份数据来说，2、4 位时太宽，8 位时太窄，比不截断还差，只有 6 位碰巧合适。
# - `entropy`：对这十万个数，6、8 位时不截断；2 位时比 `mse` 差得多。
# - `aciq`：没有搜索，结果却和 `mse` 几乎一样，因为数据正好是高斯分布。

# %% [markdown] slideshow={"slide_type": "notes"}
# 2 位时要特别注意两端：编码是 $-2$ 到 $1$，负端的范围是正端的两倍，正端被截断的数就多得多。

# %% [markdown] slideshow={"slide_type": "notes"}
# 截断还有一个 SQNR 看不见的代价：被截断的离群值再也回不来。如果它恰好是一个关键的特征，就应当改用更细的粒度（第 6 节）或别的办法，而不是截断。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### KL 散度怎样算 ★
#
# 这一小节写出熵校准的算法，可以跳过；结论是：照这些步骤选出的范围和 `quantcore` 的一致，而且需要很多数才可靠。
#
# 熵校准来自 TensorRT（[Migacz，2017](references.ipynb)）。它追求的不是误差最小，而是分布形状的改变最小。设 $P$ 是数据的直方图，$Q$ 是量化以后还能知道的直方图，两者的差别用 **KL 散度**（Kullback–Leibler divergence）衡量：
#
# $$
# D_{\mathrm{KL}}(P \Vert Q) = \sum_i p_i \log_2 \frac{p_i}{q_i}
# $$
#
# 它的含义是：数据其实服从 $P$，却按 $Q$ 设计编码（第 $i$ 个区间用 $-\log_2 q_i$ 比特），平均每个数多花多少比特。给定一个范围，步骤如下：
#
# 1. 把数据压成直方图，这里取 4081 个直方图区间（bin）。
# 2. 只看范围以内的区间，把落入同一编码的频数加起来，再平均分给其中频数不为零的区间，得到 $Q$。落入同一编码的区间无法再区分，所以只能平均分配。
# 3. $P$ 也只取范围以内的区间，但范围以外的频数堆到 $P$ 最外的区间上。截断的数在 $P$ 里有、在 $Q$ 里没有，截断越多，两者差别越大。没有这一步，就会显得范围越窄越好。
# 4. 两者各自归一化，$q_i$ 至少取 $10^{-12}$，算出 $D_{\mathrm{KL}}$。
#
# 对一百个范围各算一次，取 $D_{\mathrm{KL}}$ 最小的。

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
# 数越多，选的范围越窄（高斯数据到一百万个数才变窄）：数少时直方图稀疏，一个编码里常常只有一个区间不为零，$Q$ 就等于 $P$，再宽的范围也显得没有代价。带离群值的数据，范围越窄 SQNR 越低，再次说明 SQNR 不是它的目标。
#
# 激活值还有一个难处。经过 ReLU，大量的数恰好是 0，全挤在直方图的一个区间里，$D_{\mathrm{KL}}$ 几乎只看得见这个区间，为了它，宁可过多地截断别的数。`quantcore` 的办法是先去掉一部分恰好为 0 的数，直到这个区间不比相邻区间的平均更高：

# %% slideshow={"slide_type": "skip"}
spiked = torch.where(relu == 0, 1e-6, relu)  # as large a spike, but of no exact zeros
for name, x in (("with the spike capped", relu), ("with the spike left", spiked)):
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, UINT8, method="entropy"))
    print(f"entropy, {name:21} {sqnr_db(relu, quantizer(relu)):5.1f} dB")

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 知道分布，只需解一个方程 ★
#
# 这一小节推导 `aciq` 的范围，可以跳过；结论是：数据为高斯分布时，最佳截断位置（以 $\sigma$ 为单位）只取决于位宽，4 位时约为 $2.5\sigma$。
#
# 设数据服从标准差 $\sigma = 1$ 的高斯分布，密度是 $f(x)$，最外的重建值在 $\pm c$，其间有 $n$ 步，对称的 $b$ 位量化器是 $n = 2\,(2^{b-1} - 1)$。颗粒噪声约为 $s^2/12$，其中 $s = 2c/n$；过载噪声的公式在[信息论基础](01_information_theory.ipynb)一章推导过。记 $G(c)$ 为 $x > c$ 的概率，总噪声是
#
# $$
# D(c) = \frac{c^2}{3n^2} + 2\left[(1 + c^2)\,G(c) - c\,f(c)\right]
# $$
#
# 求导时用 $G'(c) = -f(c)$ 和 $f'(c) = -c\,f(c)$，过载一项的导数化简成 $4\,[c\,G(c) - f(c)]$。令总的导数为零：
#
# $$
# f(c) - c\,G(c) = \frac{c}{6n^2}
# $$
#
# 左边随 $c$ 减小，右边随 $c$ 增大，所以只有一个解，要用数值方法求。位宽越高，右边越小，$c$ 就越大。这个方法叫 ACIQ（[Banner 等，2019](references.ipynb)）。

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
# 方程的解、`aciq` 和最后一列相差不到百分之二，2 位时也是如此：步长 $s = c = 1.24\sigma$，$s^2/12$ 仍然成立。（`quantcore` 的颗粒噪声多乘了一个 $\lvert x \rvert \le c$ 的概率，所以和方程的解略有出入。）`mse` 一列在低位宽时较小，因为它多用了编码 $q_{\min}$，范围可以再窄一点；而且它只有一百档可选。
#
# ### 一千万个数，搜索一百遍 ★
#
# 这一小节说明 `mse` 的搜索怎样加速，可以跳过；结论是：在直方图上搜索，结果几乎一样好，速度快约两个数量级。
#
# 照定义搜索，要把全部数据量化一百遍。`quantcore` 先把数据压成 4081 个直方图区间，再在直方图上搜索，全部数据只读几遍。4081 是 $255 \times 16 + 1$：8 位的每一步分成 16 个区间，一个数换成所在区间的代表，移动的距离远小于舍入误差。

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
# 结果几乎一样好，速度快了约两个数量级（具体倍数因机器而异）。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 静态范围与动态范围
#
# 权重是固定的，范围量一次就行。激活值随输入而变，范围从哪里来？有两种办法：
#
# - **静态**（static）：事先用一批有代表性的输入（**校准集**）跑一遍网络，收集激活值，定下 $s$ 和 $z$，以后不再改变；
# - **动态**（dynamic）：运行时对每个输入现算范围。动态范围总是合身，但每次都要先扫一遍数据，而且含 $z$ 的项不能预先算好（见[只用整数的乘法](04b_integer.ipynb)）。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 问：校准集能不能用测试集？为什么不能？

# %% [markdown] slideshow={"slide_type": "notes"}
# 校准集不能用测试集：否则测试得到的准确率就可能偏高。我们用手写数字网络的训练图片校准，量化第二个 ReLU 的输出（每张图片 512 个数），再用测试图片检验。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 需要多少张图片
#
# **【计算】** 用 $n$ 张校准图片的最大值作范围。新来的一张图片，超出范围的概率是多少？
#
# <details><summary>参考答案</summary>
#
# 如果新图片和校准图片来自同一总体，这 $n + 1$ 张图片里，激活值最大的那一张是谁，机会均等。新图片恰好是它的概率是
#
# $$
# \frac{1}{n + 1}
# $$
# 〔[P12](06_summary.ipynb#公式总表)〕
#
# 这个预测不需要知道激活值的分布。
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
# 有六十几张校准图片，就只有不到 2% 的新图片会超出范围，再多用处不大，所以实践中常用一百到一千个样本。最后一行的测试图片略多于预测：449 张里只差两三张，但也提醒我们，“来自同一总体”从来只是近似。校准集的代表性比数量更要紧。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 收集范围的办法
#
# 数据一批一批地来。每来一批，可以：记住至今的最小值和最大值；或者取每批最大值的**滑动平均**（moving average），$r \leftarrow 0.9\,r + 0.1\,r_{\text{new}}$，一批里偶然的极端值影响就小了；或者把数据攒起来（或攒成直方图），用上一节的方法选。动态范围则常常**逐行**：每张图片（在语言模型里是每个词元）一个 $s$。

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
# **【预测】** 8 位和 2 位时，SQNR 最高的各是哪种办法？如果测试图片的亮度只有原来的四分之一（最后一列），静态和动态会差多少？

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
# - 8 位时，除了 `percentile`，各种静态办法相差不大：第二个 ReLU 的输出没有突出的离群值。
# - 2 位时 SQNR 拉开了差距，`mse` 最高，因为它按位宽选择截断。`entropy` 的 SQNR 低 3 dB，准确率只低半个百分点，也就是两张图片；449 张图片的准确率，抽样误差约有 1 个百分点，排不出名次。
# - 动态范围每张图片都合身，8 位时好 2 dB 多；但它仍取每张图片的最大值，所以 2 位时不如 `mse`。图片变暗以后，静态范围大半闲着，落后 10 dB 以上，动态范围不受影响。代价是运行时多扫一遍数据。

# %% [markdown] slideshow={"slide_type": "skip"}
# 还有一种办法是把范围当作参数，和权重一起训练。**PACT** 学习 ReLU 的上限 $\alpha$：$\hat x$ 由截断到 $[0, \alpha]$ 的 $x$ 量化而来，损失对 $\alpha$ 的梯度只来自被截断的值（[Choi 等，2018](references.ipynb)）。**LSQ** 直接学习步长 $s$（[Esser 等，2020](references.ipynb)），梯度是
#
# $$
# \frac{\partial \hat x}{\partial s} = \operatorname{rint}\!\left(\frac xs\right) - \frac xs
# $$
# 〔[Q6](06_summary.ipynb#公式总表)〕
#
# 这是范围以内的情形；范围以外，梯度是最外面的那个编码（$z = 0$ 时）。[均匀量化器](04_quantizer.ipynb)一章推导并验证这个式子。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6 粒度
#
# 一个离群值只连累和它共用 $s$ 的数。共用的数越少，受害的越少。多少个数共用一个 $s$，叫[**粒度**](glossary.ipynb#量化参数)（granularity）。
#
# - **逐张量**（per tensor）：整个张量一个 $s$；
# - **逐通道**（per channel）：每个输出通道一个 $s$，卷积的权重常用（[Krishnamoorthi，2018](references.ipynb)）；
# - **逐组**（per group）：最后一维上每 $g$ 个数一个 $s$。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先问：多少个数共用一个 s 最好？引出代价。

# %% tags=["fold"]
schematics.granularities()

# %% [markdown] slideshow={"slide_type": "subslide"}
# 代价是 $s$ 自己也要存，[上一章](02_schemes.ipynb#缩放因子也占位数)已经算过。每 $g$ 个 $b$ 位的权重共用一个 32 位的 $s$，平均每个权重占
#
# $$
# b + \frac{32}{g} \text{ bits}
# $$
# 〔[P8](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 4 位权重格式常把 $s$ 存成 16 位（fp16），即 $b + 16/g$；非对称还要加上 $z$ 的位数。QLoRA 再进一步，把每 64 个权重的 $s$ 又按 256 个一组量化成 8 位，外加每组一个 32 位的数（[Dettmers 等，2023](references.ipynb)）。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 4 位、$g = 64$，下面四种存法平均各几位：$s$ 是 fp32；$s$ 是 fp16；$s$ 是 fp16 加 4 位的 $z$；QLoRA 的两级 $s$？请填第三种。

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
# 把 $s$ 舍入成 fp16 会不会损失精度？fp16 的有效位是 11 位，相对误差不超过 $2^{-11}$，而 4 位量化自己的误差有信号的百分之十左右，所以看不出来。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 用真正存下来的位数来比：4 位、每 32 个一组（fp16 的 $s$，共 4.5 位），SQNR 在 4 位逐张量和 5 位逐张量之间的什么位置？有离群值时呢？

# %% [markdown] slideshow={"slide_type": "notes"}
# 用训练好的手写数字网络。卷积层的权重形状是 `(32, 16, 3, 3)`，每个输出通道展平成一行。最后一列是同一个线性层，其中一个权重改成最大值的 8 倍。

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
# - 没有离群值的两层：每 64 个、32 个一组，都比连接 4 位和 5 位两点的直线略高。例如线性层每 32 个一组用 4.5 位，直线上的值约是 19.8 dB，实测高出近 2 dB。每 16 个一组就要 5 位，不如 5 位逐张量；$s$ 存成 32 位时，每 32 个一组也是这样。
# - 有离群值：逐张量差得很多，逐组受的影响小得多。离群值越突出，细粒度越值得。
# - 卷积的位数比 $4 + 16/g$ 略多：144 不是 64 和 32 的倍数，每行的最后一组短一些，$s$ 就多一些。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【操作】** 下面的热图每行是一个输出通道。切换“粒度”：误差图的颜色、各行的 SQNR 怎样变？哪一行得益最多？（图下的 bits/weight 按 32 位的 $s$ 算。）

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 只切换“粒度”，让学生盯住一行。

# %%
explore.granularity(layers[1][:, :64].contiguous().cpu(), bits=4, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 粒度越细，误差图的颜色越淡，总的 SQNR 越高。第 8 行得益最多：它的权重小，共用一个 $s$ 时 SQNR 最低。一行只有 64 个数，误差有偶然性，个别行反而略降。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 通道在哪一维
#
# **【预测】** 输出通道总是第 0 维吗？`ConvTranspose2d` 的呢？

# %%
exercises.predict("transposed-axis")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 不是。`Linear` 和 `Conv2d` 的权重第 0 维是输出通道；`ConvTranspose2d`（转置卷积）的权重形状是 `(in, out, kH, kW)`，输出通道在第 1 维。分成 `groups` 组时是 `(in, out / groups, kH, kW)`，第 1 维的一个切片混着各组的输出通道，要先拆开各组。选错了维，程序不报错，只是误差变大。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# 让八个输出通道的大小依次翻倍，分别沿两个维量化：

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
# 选对了维，每个通道的误差都和自己的大小相称。选错了，小的通道和大的共用 $s$，几乎全成了 0。

# %% [markdown] slideshow={"slide_type": "notes"}
# 激活值能不能也逐通道？不能沿输入通道：输入通道是求和的方向，沿这个方向变化的 $s$ 提不到求和号外面（[只用整数](04b_integer.ipynb)一章推导）。但可以**逐行**，每行（每张图片、每个词元）一个 $s$，它提得出来，大语言模型常用（[Dettmers 等，2022](references.ipynb)）。逐组的权重也沿求和的方向变，所以要一组一组地求和，各乘各的 $s$，再加起来。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7 坏的输入
#
# 常见写法遇到很小的数、全零、NaN，各会怎样？常见写法给 $s$ 设了下限 $10^{-8}$，免得除以 0，所以全零没有问题。可是对很小的数，这个下限太大，结果全成了 0，这是第 ③ 处错误。NaN 没有检查，直接传了下去，这是第 ④ 处。

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
# `quantcore` 的原则：能算的算对，不能算的说清楚原因。每条报错信息都包含三项内容：哪个参数有问题、实际遇到了什么、应当怎么办。四处错误至此都改正了。

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
# ## 练习
#
# 这些练习留到课后做。每一题先写答案，再运行下一个单元格检查；检查不通过时，会给出最小的反例和提示。还没有动手的题，检查只会说“还没有完成”。

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（5 分钟，难度 1/3）写出 `my_scale(x, bits)`：`x` 是浮点张量，`bits` 是位宽；返回有符号对称量化、最大的绝对值恰好落在最大的编码上时的缩放因子，一个数。

# %% slideshow={"slide_type": "skip"}
def my_scale(x, bits):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("symmetric-scale", my_scale)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_scale(x, bits):
#     return x.abs().max() / (2 ** (bits - 1) - 1)
# ```
#
# 让最大的绝对值对应最大的编码 $2^{b-1} - 1$。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（4 分钟，难度 1/3）写出 `my_ends(x)`：`x` 是浮点张量，返回包含全部数据和 0 的最小范围的两端，两个数。

# %% slideshow={"slide_type": "skip"}
def my_ends(x):
    return ...  # low, high

# %% slideshow={"slide_type": "skip"}
exercises.check("range-with-zero", my_ends)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_ends(x):
#     return min(x.min().item(), 0.0), max(x.max().item(), 0.0)
# ```
#
# 数据全为正数时下端是 0，全为负数时上端是 0。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（8 分钟，难度 2/3）写出 `my_zero_point(lo, hi, qmin, qmax)`：数据在 `[lo, hi]`（可能不含 0），编码从 `qmin` 到 `qmax`，返回非对称量化的零点，一个整数。`lo` 和 `hi` 不同时为 0。

# %% slideshow={"slide_type": "skip"}
def my_zero_point(lo, hi, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("zero-point", my_zero_point)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_zero_point(lo, hi, qmin, qmax):
#     lo, hi = min(lo, 0.0), max(hi, 0.0)
#     s = (hi - lo) / (qmax - qmin)
#     return round(qmin - lo / s)
# ```
#
# 先扩大范围，再求 $s$ 和 $z$：扩大以后 $z$ 一定在 $[q_{\min}, q_{\max}]$ 里，不需要截断。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（8 分钟，难度 2/3）下面 1024 个数里，每 1000 个有一个放大到 20 倍：`samples.distribution("outliers", 1024)`。为它选择设置，使 SQNR 不低于 18 dB，平均位数（连同每组一个 float16 的缩放因子）不超过 4.5。`bits` 取 2 到 8，`group_size` 取整数或 `None`（逐张量），`method` 取 `"minmax"`、`"percentile"` 或 `"mse"`。在心里准备一句话，为你的选择辩护。

# %% slideshow={"slide_type": "skip"}
my_settings = {"bits": ..., "group_size": ..., "method": ...}

# %% slideshow={"slide_type": "skip"}
exercises.check("choose-range", my_settings)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# my_settings = {"bits": 4, "group_size": 32, "method": "mse"}
# ```
#
# 整个张量共用一个缩放因子时，或者步长太大，或者离群值被截断，在位数的限制之内，无论哪种方法都达不到 18 dB。分组以后，离群值只影响它所在的一组；32 个一组，每个权重多 $16/32 = 0.5$ 位。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（5 分钟，难度 1/3）写出 `my_axis(layer)`：`layer` 是 `torch.nn` 的全连接层、卷积层或转置卷积层，返回它的权重的输出通道在第几维。

# %% slideshow={"slide_type": "skip"}
def my_axis(layer):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("channel-axis", my_axis)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_axis(layer):
#     return 1 if "Transpose" in type(layer).__name__ else 0
# ```
#
# 不能按大小去找：输入和输出通道数可以相等。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 讨论
#
# **【思考】** 离群值该不该保护？举一个该保护的例子，再举一个不该保护的例子。校准集要多大、取哪些样本？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 讨论 8 分钟。离群值该不该保护，自然会引到大语言模型的几种方法。

# %% [markdown] slideshow={"slide_type": "skip"}
# 全课做到了哪里，运行下面的单元格就知道：

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 小结
#
# - 非对称量化：$s = (x_{\max} - x_{\min})/(q_{\max} - q_{\min})$，$z = \operatorname{rint}(q_{\min} - x_{\min}/s)$；$z$ 是整数，是 0.0 的编码。范围两端的误差是 $s\,(z - z^*)$，不超过 $s/2$。
# - 先把范围扩大到包含 0。否则 $z$ 会被截断，错误就看不见了：$[2, 3]$ 全变成 1。这一步的代价由范围的宽度之比决定，$[2, 3]$ 损失 9.5 dB，跨过 0 的数据没有损失。
# - 有符号对称除以 $2^{b-1} - 1$；无符号对称除以 $2^b - 1$，数据不能有负值。除以 $2^{b-1}$ 时最大的正值差一步，除以 $(2^b - 1)/2$ 时差半步。数很多而位数少时，这样做更好；8 位、一组只有几十个数时相反。
# - 步长还小时，离群值翻倍，其余各数的 SQNR 就少 6.02 dB。截断使步长变细，也丢掉离群值；位宽越低，越值得截断。
# - 激活值的范围来自校准集，不能用测试集。用 $n$ 张图片的最大值作范围，新图片超出范围的概率约为 $1/(n+1)$。
# - 粒度越细，误差通常越小，存 $s$ 越贵：每个权重 $b + 16/g$ 位（$s$ 为 fp16）或 $b + 32/g$ 位（$s$ 为 fp32）。输出通道不总在第 0 维。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下一章：[均匀量化器](04_quantizer.ipynb)。参数有了，量化还剩三步，次序一步也不能错。
