# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 量化参数：缩放因子和零点怎样定
#
# 上一章给出了编码，一个编码值多少，由**缩放因子**（scale）$s$ 和**零点**（zero point）$z$ 决定。原文档用十行代码算它们。这十行里有四处会出错，这一章一处一处地看：先看坏在哪里，再修好。
#
# **学完这一章，你能：**
#
# - 拿着一张纸，从数据的范围算出 $s$ 和 $z$；
# - 说清楚 0 为什么必须精确，范围为什么必须包含 0；
# - 在对称和非对称之间选择，知道三种对称约定差在哪里；
# - 预见一个离群值的后果，选一种校准方法，说出它的代价；
# - 选择粒度，算出每个权重连同缩放因子一共占几位。
#
# | 部分 | 时间 |
# |:--|:--|
# | 1 从范围到 $s$ 和 $z$ | 20 分钟 |
# | 2 零必须精确 | 15 分钟 |
# | 3 对称与非对称 | 15 分钟 |
# | 4 离群值与校准 | 20 分钟 |
# | 5 粒度 | 15 分钟 |
# | 6 坏的输入 | 5 分钟 |

# %%
import time

import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import explore, noise_power, samples, sqnr_db
from quantcore.information import error_report
from quantcore.sheet import BLUE, GREEN, RED, Sheet

INT4, INT8, UINT8 = (QuantizationScheme[name] for name in ("INT4", "INT8", "UINT8"))
device = "cuda" if torch.cuda.is_available() else "cpu"

# %%
explore.set_language("zh")

# %% [markdown]
# ## 1 从范围到 $s$ 和 $z$
#
# 反量化是 $\hat x = s\,(q - z)$。两个未知数，两个方程：数据的两端对准编码的两端。
#
# $$
# \begin{aligned}
# x_{\min} &= s\,(q_{\min} - z) \\
# x_{\max} &= s\,(q_{\max} - z)
# \end{aligned}
# $$
#
# 两式相减，$z$ 消去：
#
# $$
# s = \frac{x_{\max} - x_{\min}}{q_{\max} - q_{\min}}
# $$
#
# 代回第一式，得 $z = q_{\min} - x_{\min}/s$。它一般不是整数，所以舍入，再截断到编码的范围里 (Jacob et al. 2018)：
#
# $$
# z = \operatorname{clamp}\!\left(\operatorname{rint}\!\left(q_{\min} - \frac{x_{\min}}{s}\right),\ q_{\min},\ q_{\max}\right)
# $$
#
# **先猜。** 数据在 $[-1, 3]$，用 INT8。$z$ 是正的还是负的？
#
# <details><summary>想好了再看</summary>
#
# 负的。$z$ 是 0.0 的编码。0 靠近范围的左端，它的编码就靠近 $q_{\min} = -128$。具体地，$s = 4/255$，$-128 + 1/s = -64.25$，舍入得 $-64$。写成 $+64$ 是常见的错误：记住 $z = q_{\min} - x_{\min}/s$，范围偏正，$z$ 偏小。
#
# </details>

# %%
for lo, hi, scheme in ((-1.0, 3.0, INT8), (-1.0, 3.0, UINT8), (-2.0, 0.5, INT4)):
    s = (hi - lo) / (scheme.qmax - scheme.qmin)
    z = min(max(round(scheme.qmin - lo / s), scheme.qmin), scheme.qmax)
    p = QuantizationParams.from_tensor(torch.tensor([lo, hi]), scheme, symmetric=False)
    print(f"[{lo}, {hi}] {scheme.name:5}   by hand s = {s:.5f}, z = {z:4}", end="")
    print(f"   quantcore s = {p.scale.item():.5f}, z = {p.zero_point.item():4}")

# %% [markdown]
# 舍入 $z$ 有代价：整张网格平移了，最多半格。所以两端不再对得丝毫不差。
#
# **先猜。** 范围的两端，误差最多是多少个 $s$？
#
# <details><summary>想好了再看</summary>
#
# 半个。$z$ 移动不超过 $1/2$，每一级就移动不超过 $s/2$。一端因此伸到最外一级的外面，舍入时收回来，误差也不超过 $s/2$。
#
# </details>

# %%
ends = torch.tensor([[-1.0, 3.0], [-0.3, 1.0], [-2.0, 0.7], [-1.0, 1.0]])
for row in ends:
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(row, INT4, symmetric=False))
    e = (row - quantizer(row)) / quantizer.params.scale
    print(f"range [{row[0]:4.1f}, {row[1]:.1f}]   error at the ends, in s: {e[0]:6.2f} {e[1]:6.2f}")

# %% [markdown]
# 两端的误差都在 $\pm 0.5$ 之间。
#
# $z$ 为什么要是整数？若 $z$ 不是整数，$q = z$ 取不到，0.0 就没有自己的编码了。下一节看这要付多少。
#
# ## 2 零必须精确
#
# 神经网络里 0 到处都是：卷积的补零，ReLU 的输出，剪枝后的权重。0 若有误差 $\delta$，每个 0 都带着**同样的** $\delta$。它们不会互相抵消，加起来是个数乘 $\delta$。
#
# 设 $n$ 个特征里有 $n_0$ 个是 0，求和后的偏差就是 $n_0\,\delta$。下面让网格错开半格，$\delta = s/2$：

# %%
x = samples.distribution("relu", 512).to(device)
quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, QuantizationScheme.UINT4))
s = quantizer.params.scale
shifted = quantizer((x - s / 2).clamp_min(0)) + s / 2
zeros = (x == 0).sum()
print(f"{zeros} of {len(x)} features are 0")
print(f"their sum, predicted {(zeros * s / 2).item():.2f}, measured {shifted[x == 0].sum():.2f}")
print(f"with an exact 0:                    {quantizer(x)[x == 0].sum():.2f}")

# %% [markdown]
# ### 范围必须包含 0
#
# 「我的数据在 $[2, 3]$，所以 $x_{\min} = 2$。」听起来没有错。**先猜**：按上面的公式，用 INT8，$z$ 会是多少？
#
# <details><summary>想好了再看</summary>
#
# $s = 1/255$，$z = -128 - 2 \cdot 255 = -638$，在编码的范围之外。截断之后 $z = -128$，方程不再成立，而程序照样往下走。
#
# </details>
#
# 原文档正是这样。下面照它的公式重写：

# %%
def document(x, scheme):
    lo, hi = x.min(), x.max()
    s = ((hi - lo) / (scheme.qmax - scheme.qmin)).clamp(min=1e-8)
    z = torch.round(scheme.qmin - lo / s).clamp(scheme.qmin, scheme.qmax)
    q = torch.round(x / s + z).clamp(scheme.qmin, scheme.qmax)
    return s * (q - z)


for values in ([2.0, 2.5, 3.0], [5.0, 5.0]):
    x = torch.tensor(values)
    right = UniformQuantizer(QuantizationParams.from_tensor(x, INT8, symmetric=False))
    print(values, "  document", [round(v, 4) for v in document(x, INT8).tolist()], end="")
    print("  quantcore", [round(v, 2) for v in right(x).tolist()])

# %% [markdown]
# 三个数都变成了 1，两个 5 都变成了 0，没有任何报错。截断 $z$ 把毛病盖住了。
#
# 修法只有一步：先把范围扩到包含 0，
#
# $$
# x_{\min} \leftarrow \min(x_{\min}, 0), \qquad x_{\max} \leftarrow \max(x_{\max}, 0)
# $$
#
# 于是 $0 \le -x_{\min}/s \le q_{\max} - q_{\min}$，$z$ 自然落在编码里，截断只防舍入的毛刺。$[2, 3]$ 得到 $s = 3/255$：

# %%
p = QuantizationParams.from_tensor(torch.tensor([2.0, 2.5, 3.0]), UINT8, symmetric=False)
print(f"s = {p.scale.item():.6f}, predicted {3 / 255:.6f};  z = {p.zero_point.item()}")
for data in (samples.distribution("laplace") + 9, samples.distribution("uniform") - 7):
    zero = torch.zeros(1)
    for symmetric in (True, False):
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(data, INT8, symmetric))
        print(f"0.0 -> {quantizer(zero).item()}", end="   ")

# %% [markdown]
# ## 3 对称与非对称
#
# **对称**（symmetric）量化规定 $z = 0$，只剩一个未知数：
#
# $$
# s = \frac{\max \lvert x \rvert}{q_{\max}}, \qquad q_{\max} = 2^{b-1} - 1
# $$
#
# 好处在整数乘法：带零点的项全都消失（[均匀量化器](04_quantizer.ipynb)一章会看到）。坏处是两边不平衡的数据浪费编码。
#
# **先猜。** ReLU 的输出没有负数。用 8 位有符号对称、8 位有符号非对称、8 位无符号对称，SQNR 各差多少？
#
# <details><summary>想好了再看</summary>
#
# 有符号对称只用到一半的编码，等于少 1 位，差 6.02 dB。无符号对称和非对称都用满 255 格，一样好。
#
# </details>

# %%
x = samples.distribution("relu", 10**5).to(device)
base = None
for scheme, symmetric in ((INT8, True), (INT8, False), (UINT8, True)):
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme, symmetric))
    db = sqnr_db(x, quantizer(x))
    base = base or db
    name = f"{scheme.name} {'symmetric' if symmetric else 'asymmetric'}"
    print(f"{name:16} {db:6.2f} dB   gain {db - base:5.2f}")
print(f"predicted gain: 20 log10(255 / 127) = {20 * torch.tensor(255 / 127).log10():.2f} dB")

# %% [markdown]
# ### 原文档的无符号对称
#
# 原文档取 $s = \max\lvert x\rvert / \min(\lvert q_{\min}\rvert, q_{\max})$。对 UINT8，分母是 0，什么数据都算不成。
#
# 修法：数据没有负数时，$s = x_{\max}/255$，$z = 0$。有负数就拒绝，因为没有编码给它们。

# %%
x = torch.tensor([0.0, 1.0, 2.0])
try:
    x.abs().max().item() / min(abs(UINT8.qmin), UINT8.qmax)
except ZeroDivisionError as error:
    print(f"document  ZeroDivisionError: {error}")
right = UniformQuantizer(QuantizationParams.from_tensor(x, UINT8))
print("quantcore", [round(v, 4) for v in right(x).tolist()])
try:
    QuantizationParams.from_tensor(torch.tensor([-1.0, 2.0]), UINT8)
except ValueError as error:
    print(f"ValueError: {error}")

# %% [markdown]
# ### 三种约定
#
# 有符号对称，$\max\lvert x\rvert$ 除以几？有三种约定，都有人用：
#
# | 分母 | INT8 | 最大的值 | 谁在用 |
# |:--|:--|:--|:--|
# | $2^{b-1} - 1$ | 127 | 精确 | 原文档的代码；把权重限制在 $[-127, 127]$ 的做法 (Jacob et al. 2018) |
# | $2^{b-1}$ | 128 | 截断，误差 $s$ | 原文档的总结；`full_range=True` |
# | $(2^b - 1)/2$ | 127.5 | 误差 $s/2$ | PyTorch 的 observer |
#
# 原文档的代码和总结用的不是同一种，它自己没有发现。
#
# **先猜。** 8 位时选哪一种要紧吗？2 位呢？

# %%
x = samples.distribution("normal", 10**5).to(device)
reach = x.abs().max()
print("bits   2^(b-1)-1    2^(b-1)   (2^b-1)/2     SQNR in dB")
for bits in (2, 3, 4, 8):
    scheme = QuantizationScheme.from_bits(bits)
    row = []
    for steps in (scheme.qmax, -scheme.qmin, (scheme.levels - 1) / 2):
        params = QuantizationParams(reach / steps, torch.tensor(0, device=x.device), scheme.qmin, scheme.qmax)
        row.append(sqnr_db(x, UniformQuantizer(params)(x)))
    print(f"{bits:4} {row[0]:11.2f} {row[1]:10.2f} {row[2]:11.2f}")

# %% [markdown]
# 8 位时三者几乎一样。2 位时差得很多：$2^{b-1}-1 = 1$，而 $2^{b-1} = 2$，步长差一倍。这里步长小的赢了，因为最大的值极少，截断它不疼。
#
# `full_range=True` 的最大值恰好差一步：$\hat x_{\max} = s\,(2^{b-1} - 1) = x_{\max} - s$。

# %%
for bits in (2, 4, 8):
    scheme = QuantizationScheme.from_bits(bits)
    params = QuantizationParams.from_tensor(reach.view(1), scheme, full_range=True)
    clipped = (reach - UniformQuantizer(params)(reach.view(1))).item()
    print(f"{bits} bits: step {params.scale.item():.4f}, error of the largest value {clipped:.4f}")

# %% [markdown]
# ## 4 离群值与校准
#
# 步长由最大的值决定。**先猜**：一万个数里，有一个变成原来标准差的 64 倍。其余 9999 个数的误差会怎样？
#
# 拖一拖「离群值」，再配上不同的位宽，看左图的红线（级）和右图的虚线（$s/2$）。

# %%
explore.outlier(samples.distribution("normal"), bits=8, symmetric=True)

# %% [markdown]
# 离群值自己几乎没有误差，代价全由别人付：$s$ 正比于最大值，$\sigma_q^2 = s^2/12$ 就正比于它的平方。最大值每翻一倍，SQNR 少 6.02 dB。

# %%
x = samples.distribution("normal").to(device)
print("outlier   step   noise predicted   measured on the others")
for size in (4, 8, 16, 32, 64):
    x[0] = size
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT8))
    step = quantizer.params.scale.item()
    others = error_report(x[1:], quantizer).mse
    print(f"{size:7} {step:7.4f} {noise_power(step):14.2e} {others:21.2e}")

# %% [markdown]
# 所以「取最大最小值，范围最安全」是一种错觉：它保护了一个数，牺牲了所有别的数。
#
# ### 四种校准方法
#
# **校准**（calibration）就是选范围。
#
# | 方法 | 怎样选 | 代价 |
# |:--|:--|:--|
# | `minmax` | 全部数据 | 一个离群值毁掉步长 |
# | `percentile` | 丢掉最外面的一小部分，缺省 0.1 % | 比例是拍脑袋的；位宽低时丢得不够，高时丢得太多 |
# | `mse` | 一百个缩小的范围里，均方误差最小的 | 只看误差的大小，离群值也许很重要 |
# | `entropy` | 直方图在量化前后的 KL 散度最小 | 为 8 位激活值设计，位宽低时未必合适 |
#
# 熵校准来自 TensorRT。它要的是形状不变，而不是误差最小。
#
# **先猜。** 数据里每一千个有一个是二十倍大。4 位时哪种方法的 SQNR 最高？8 位时呢？

# %%
explore.calibration(samples.distribution("outliers"), bits=4, symmetric=True)

# %%
x = samples.distribution("outliers", 10**5).to(device)
print("                4 bits: range  clipped   dB      8 bits: range  clipped   dB")
for method in ("minmax", "percentile", "mse", "entropy"):
    print(f"{method:12}", end="")
    for scheme in (INT4, INT8):
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme, method=method))
        r, reach = error_report(x, quantizer), (quantizer.params.scale * scheme.qmax).item()
        print(f"{reach:17.1f} {r.clipped:8.2%} {r.sqnr_db:5.1f}", end="")
    print()

# %% [markdown]
# `mse` 在试过的一百个范围里误差最小，这里的 SQNR 也最高。位宽越低，它切得越狠：步长的代价变大了，值得多截断一些。这正是[信息论](01_information_theory.ipynb)一章里颗粒噪声和过载噪声的权衡。
#
# 可是离群值一旦被截断，就再也回不来。它若恰好是一个关键的特征，SQNR 不会告诉你。
#
# ### 误差与范围的曲线
#
# 把范围从 1 % 缩放到 100 %，画出均方误差。位宽不同，谷底的位置不同。

# %%
fractions = torch.arange(1, 101) / 100
sheet, best = Sheet(1), {}
for scheme, color in zip((INT4, QuantizationScheme.INT6, INT8), (RED, GREEN, BLUE)):
    full = x.abs().max() / scheme.qmax
    z, ends = torch.tensor(0, device=x.device), (scheme.qmin, scheme.qmax)
    grids = [QuantizationParams(full * f, z, *ends) for f in fractions.tolist()]
    mse = [error_report(x, UniformQuantizer(p)).mse for p in grids]
    best[scheme.name] = round(100 * fractions[torch.tensor(mse).argmin()].item())
    sheet.line(0, scheme.name, fractions * 100, mse, color=color)
sheet.frame(0, "noise against range", "percent of the largest value", "MSE", yscale="log")
sheet.legend(0)
sheet.show(f"MSE over the range for INT4, INT6 and INT8; the least at {best} percent")

# %% [markdown]
# ### 一千万个数，一百次搜索？
#
# 照定义搜索，要把全部数据量化一百遍。`quantcore` 先把数据压成 4081 格的直方图，再搜索直方图：数据只读一遍。
#
# **先猜。** 快多少倍？结果差多少？

# %%
x = samples.distribution("normal", 10**6).to(device)
full = x.abs().max() / INT8.qmax
grids = [QuantizationParams(full * f, z, INT8.qmin, INT8.qmax) for f in fractions.tolist()]
naive = min(error_report(x, UniformQuantizer(p)).mse for p in grids)
quick = QuantizationParams.from_tensor(x, INT8, method="mse")
ratio = error_report(x, UniformQuantizer(quick)).mse / naive
print(f"MSE found by the histogram / MSE found by the full search: {ratio:.3f}")

# %% tags=["nbval-ignore-output"]
# Times belong to the machine, so this output is not compared.
big = samples.distribution("normal", 10**7).to(device)
start = time.perf_counter()
QuantizationParams.from_tensor(big, INT8, method="mse")
quick_s = time.perf_counter() - start
start = time.perf_counter()
for p in grids[:5]:
    (UniformQuantizer(p)(big) - big).square().mean()
naive_s = (time.perf_counter() - start) * 20
print(f"histogram {quick_s:.3f} s; full search {naive_s:.1f} s (20 times what 5 of 100 steps took)")
print(f"ratio {naive_s / quick_s:.0f}")

# %% [markdown]
# ## 5 粒度
#
# 一个离群值只该连累和它共用 $s$ 的数。所以少一些数共用一个 $s$，伤害就小一些。这叫**粒度**。
#
# - **逐张量**（per tensor）：整个张量一个 $s$；
# - **逐通道**（per channel）：每个输出通道一个 $s$；
# - **分组**（per group）：最后一维上每 $g$ 个数一个 $s$。
#
# 代价是 $s$ 自己也要存。每 $g$ 个 $b$ 位的权重配一个 32 位的 $s$，平均每个权重占的位数是
#
# $$
# b + \frac{32}{g}
# $$
#
# **先猜。** 4 位、每 16 个一组，平均几位？比 5 位逐张量好还是差？

# %%
w = samples.digits_network()[5].weight.to(device)
cases = {"INT4 tensor": (4, {}), "INT4 channel": (4, {"axis": 0}), "INT5 tensor": (5, {})}
cases |= {f"INT4 group {g}": (4, {"group_size": g}) for g in (64, 32, 16)}
print(f"weights {tuple(w.shape)}   scales   bits/weight     dB")
for name, (bits, options) in cases.items():
    params = QuantizationParams.from_tensor(w, QuantizationScheme.from_bits(bits), **options)
    scales = params.scale.numel()
    size = bits + 32 * scales / w.numel()
    print(f"{name:17} {scales:12} {size:13.2f} {sqnr_db(w, UniformQuantizer(params)(w)):6.2f}")

# %% [markdown]
# 这是一个真正训练过的层。每 16 个一组要 6 位，5 位逐张量只要 5 位，两者的 SQNR 却相差无几。分组不是白来的：$s$ 用 32 位存，组就不能太小。实际的系统用 16 位甚至 8 位的 $s$。
#
# 下面的热图每行是一个输出通道。切换粒度，看误差图的颜色怎样变得均匀。

# %%
explore.granularity(w[:, :64].contiguous().cpu(), bits=4, symmetric=True)

# %% [markdown]
# ### 通道在哪一维
#
# **先猜。** 输出通道总是第 0 维吗？
#
# <details><summary>想好了再看</summary>
#
# 不是。`Linear` 和 `Conv2d` 的权重第 0 维是输出通道；`ConvTranspose2d` 的权重形状是（输入，输出，高，宽），输出通道在第 1 维。选错了维，程序不报错，只是精度差。
#
# </details>
#
# 下面让八个输出通道的大小依次翻倍，分别沿两个维量化：

# %%
generator = torch.Generator().manual_seed(0)
for kind, outputs in ((torch.nn.Conv2d, 0), (torch.nn.ConvTranspose2d, 1)):
    name, shape = kind.__name__, kind(16, 8, 3).weight.shape
    size = 2.0 ** torch.arange(8).view([-1 if d == outputs else 1 for d in range(4)])
    w = torch.randn(shape, generator=generator) * size
    for axis in (0, 1):
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(w, INT4, axis=axis))
        e = ((w - quantizer(w)) / size).square().mean().item()
        print(f"{name:15} {tuple(shape)!s:16} axis={axis}   MSE in each channel's unit {e:.3f}")

# %% [markdown]
# 用对了维，每个通道的误差都和它自己的大小相称。
#
# 激活值通常只用逐张量：沿求和方向变化的 $s$ 没法从求和号里提出来，[均匀量化器](04_quantizer.ipynb)一章会推导。
#
# ## 6 坏的输入
#
# 原文档遇到很小的数、全零、NaN 会怎样？它给 $s$ 设了下限，免得除以 0。可是下限 $10^{-8}$ 对很小的数据太大了；NaN 则一声不响地传下去：

# %%
tiny = torch.tensor([1e-9, -1e-9, 5e-10])
right = UniformQuantizer(QuantizationParams.from_tensor(tiny, INT8))
print("tiny: document", document(tiny, INT8).abs().max().item(), end="   ")
print(f"quantcore {right(tiny).abs().max().item():.1e}")
zero = QuantizationParams.from_tensor(torch.zeros(3), INT8)
back = UniformQuantizer(zero)(torch.zeros(3))
print(f"all zeros: scale {zero.scale.item()}, comes back {back.tolist()}")
print("NaN: document", document(torch.tensor([1.0, torch.nan]), INT8).tolist())

# %% [markdown]
# `quantcore` 的规矩：能算的一定算对，不能算的说清楚为什么。每条消息都有三样：哪个参数，看到了什么，该怎么办。

# %%
bad = {
    "NaN": lambda: QuantizationParams.from_tensor(torch.tensor([1.0, torch.nan]), INT8),
    "infinity": lambda: QuantizationParams.from_tensor(torch.tensor([1.0, torch.inf]), INT8),
    "empty": lambda: QuantizationParams.from_tensor(torch.empty(0), INT8),
    "integers": lambda: QuantizationParams.from_tensor(torch.arange(3), INT8),
    "axis": lambda: QuantizationParams.from_tensor(torch.ones(2, 3), INT8, axis=2),
}
for what, call in bad.items():
    try:
        call()
    except (TypeError, ValueError) as error:
        print(f"{what:9} {type(error).__name__}: {error}")

# %% [markdown]
# ## 小结
#
# - $s = (x_{\max} - x_{\min})/(q_{\max} - q_{\min})$，$z = \operatorname{rint}(q_{\min} - x_{\min}/s)$；$z$ 是整数，是 0.0 的编码。
# - 先把范围扩到包含 0。否则截断 $z$ 会把错误盖住：$[2, 3]$ 全变成 1。
# - 有符号对称除以 $2^{b-1} - 1$，无符号对称除以 $2^b - 1$，且不收负数。`full_range` 除以 $2^{b-1}$，最大的值差一步。8 位无所谓，2 到 4 位要紧。
# - 一个离群值放大所有别人的误差，最大值翻倍，SQNR 少 6.02 dB。截断救步长，也丢掉离群值。
# - 粒度越细，误差越小，存 $s$ 越贵：$b + 32/g$ 位。输出通道不总在第 0 维。
#
# 下一章：[均匀量化器](04_quantizer.ipynb)，参数有了，量化本身还有三个次序会弄错。
