# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 量化参数：缩放因子和零点怎样定
#
# 上一章给出了编码。一个编码代表多大的实数，由**缩放因子**（scale）$s$ 和**零点**（zero point）$z$ 决定。原文档用十来行代码算它们，其中有四处会出错。这一章一处一处地看：先看错在哪里，再改正。
#
# **学完这一章，你能：**
#
# - 拿着一张纸，从数据的范围算出 $s$ 和 $z$；
# - 说清楚 0 为什么必须精确，范围为什么必须包含 0；
# - 在对称和非对称之间选择，知道三种对称约定差在哪里；
# - 预见一个离群值（outlier）的后果，选一种校准方法，说出它的代价；
# - 选择粒度，算出每个权重连同缩放因子一共占几位。
#
# | 部分 | 时间 |
# |:--|:--|
# | 1 从范围到 $s$ 和 $z$ | 20 分钟 |
# | 2 零必须精确 | 10 分钟 |
# | 3 对称与非对称 | 15 分钟 |
# | 4 离群值与校准 | 25 分钟 |
# | 5 粒度 | 15 分钟 |
# | 6 坏的输入 | 5 分钟 |

# %%
import math
import time

import torch
from torch.ao.quantization import MinMaxObserver

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import explore, noise_power, samples, sqnr_db
from quantcore.calibration import METHODS
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
# 代回第一式，得 $z = q_{\min} - x_{\min}/s$。它一般不是整数，所以先舍入到最近的整数（rint），再**截断**（clipping）到编码的范围里（clamp）(Jacob et al. 2018)：
#
# $$
# z = \operatorname{clamp}\!\left(\operatorname{rint}\!\left(q_{\min} - \frac{x_{\min}}{s}\right),\ q_{\min},\ q_{\max}\right)
# $$
#
# **先猜。** 数据在 $[-1, 3]$，用 INT8。$z$ 是正的还是负的？
#
# <details><summary>想好了再看</summary>
#
# 负的。$z$ 是 0.0 的编码。0 靠近范围的左端，它的编码就靠近 $q_{\min} = -128$。具体地，$s = 4/255$，$-128 + 1/s = -64.25$，舍入得 $-64$。常见的错误是写成 $+64$。范围越偏向正数，0 越靠左，$z$ 越小。
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
# 舍入 $z$ 有代价：所有的级一起平移，最多半步。于是两端不再恰好落在级上。
#
# **先猜。** 范围的两端，误差最多是多少个 $s$？
#
# <details><summary>想好了再看</summary>
#
# 半个。记舍入前的零点为 $z^* = q_{\min} - x_{\min}/s$，也就是 $x_{\min} = s\,(q_{\min} - z^*)$。编码 $q_{\min}$ 现在代表 $s\,(q_{\min} - z)$，所以
#
# $$
# e = x_{\min} - \hat x_{\min} = s\,(q_{\min} - z^*) - s\,(q_{\min} - z) = s\,(z - z^*), \qquad \lvert z - z^* \rvert \le \tfrac12
# $$
#
# 右端同理，误差也是 $s\,(z - z^*)$。
#
# </details>

# %%
print("range           z*    z   error in s: predicted   left  right")
for row in torch.tensor([[-1.0, 3.0], [-0.3, 1.0], [-2.0, 0.7], [-1.0, 1.8]]):
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(row, INT4, symmetric=False))
    s, z = quantizer.params.scale.item(), quantizer.params.zero_point.item()
    exact = INT4.qmin - row[0].item() / s
    e = (row - quantizer(row)) / s
    print(f"[{row[0]:4.1f}, {row[1]:.1f}] {exact:8.2f} {z:4} {z - exact:23.2f}", end="")
    print(f" {e[0]:6.2f} {e[1]:6.2f}")

# %% [markdown]
# 三列误差相同，都在 $\pm 0.5$ 之间。
#
# $z$ 为什么要是整数？若 $z$ 不是整数，$q = z$ 取不到，0.0 就没有自己的编码了。下一节看这样要付多大的代价。
#
# ## 2 零必须精确
#
# 神经网络里 0 到处都是：卷积的补零，ReLU 的输出，剪枝后的权重。0 若有误差 $\delta$，每个 0 都带着**同样的** $\delta$。别的数误差有正有负，加起来大半抵消；0 的误差不抵消，加起来是个数乘 $\delta$。
#
# 设 $n$ 个特征里有 $n_0$ 个是 0，求和后的偏差就是 $n_0\,\delta$。下面让所有的级平移半步，$\delta = s/2$：

# %%
x = samples.distribution("relu", 512).to(device)
quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, QuantizationScheme.UINT4))
s = quantizer.params.scale
shifted = quantizer((x - s / 2).clamp_min(0)) + s / 2
zeros = (x == 0).sum()
print(f"{zeros} of {len(x)} features are 0")
print(f"their errors add up to: predicted {(zeros * s / 2).item():.2f}", end="")
print(f", measured {shifted[x == 0].sum():.2f}; with an exact 0 {quantizer(x)[x == 0].sum():.2f}")
print(f"the errors of the other {(x > 0).sum()} add up to {(shifted - x)[x > 0].sum():.2f}")

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
# 三个数都变成了 1，两个 5 都变成了 0，没有任何报错。$z$ 一截断，错误就看不见了。
#
# 修法只有一步：先把范围扩到包含 0，
#
# $$
# x_{\min} \leftarrow \min(x_{\min}, 0), \qquad x_{\max} \leftarrow \max(x_{\max}, 0)
# $$
#
# 于是 $0 \le -x_{\min}/s \le q_{\max} - q_{\min}$，$z$ 自然落在编码的范围里，截断只用来防备浮点运算的误差。$[2, 3]$ 得到 $s = 3/255$。不管数据离 0 多远，0.0 都原样回来：

# %%
p = QuantizationParams.from_tensor(torch.tensor([2.0, 2.5, 3.0]), UINT8, symmetric=False)
print(f"s = {p.scale.item():.6f}, predicted {3 / 255:.6f};  z = {p.zero_point.item()}")
for name, data in (("laplace", 9), ("uniform", -7)):
    data = samples.distribution(name) + data
    print(f"{name} in [{data.min():5.1f}, {data.max():5.1f}]", end="")
    for symmetric in (True, False):
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(data, INT8, symmetric))
        word = "symmetric" if symmetric else "asymmetric"
        print(f"   {word}: 0.0 -> {quantizer(torch.zeros(1)).item()}", end="")
    print()

# %% [markdown]
# ## 3 对称与非对称
#
# **对称**（symmetric）量化规定 $z = 0$，只剩一个未知数：
#
# $$
# s = \frac{\max \lvert x \rvert}{q_{\max}}, \qquad q_{\max} = 2^{b-1} - 1
# $$
#
# $z$ 由数据的范围决定的，叫**非对称**（asymmetric）量化，上面两节讲的就是它。
#
# 对称的好处在整数乘法：带零点的项全都消失（[均匀量化器](04_quantizer.ipynb)一章会看到）。坏处是数据偏在一边时，另一边的编码浪费了。
#
# **先猜。** ReLU 的输出没有负数。用 8 位有符号对称、8 位有符号非对称、8 位无符号对称，SQNR 各差多少？
#
# <details><summary>想好了再看</summary>
#
# 有符号对称只用到 0 到 127，范围里有 127 步；另外两种都有 255 步，一样好。步长之比是 $255/127$，约等于 2，所以 SQNR 差 $20\log_{10}(255/127)$，约 6 dB，也就是白白少了 1 位。
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
    print(f"{name:16} {db:6.2f} dB   measured gain {db - base:5.2f} dB")
print(f"{'20 log10(255 / 127)':25}  predicted gain {20 * math.log10(255 / 127):5.2f} dB")

# %% [markdown]
# ### 原文档的无符号对称
#
# 原文档取 $s = \max\lvert x\rvert / \min(\lvert q_{\min}\rvert, q_{\max})$。对 UINT8，分母是 $\min(0, 255) = 0$，什么数据都算不成。
#
# 修法：数据没有负数时，$s = x_{\max}/255$，$z = 0$。有负数就拒绝，因为没有编码给它们。

# %%
x = torch.tensor([0.0, 1.0, 2.0])
try:
    x.abs().max().item() / min(abs(UINT8.qmin), UINT8.qmax)
except ZeroDivisionError as error:
    print(f"document  ZeroDivisionError: {error}")
right = UniformQuantizer(QuantizationParams.from_tensor(x, UINT8))
print("quantcore", [round(v, 4) for v in right(x).tolist()], end="")
print(f"   s = {right.params.scale.item():.6f}, predicted {2 / 255:.6f}")
try:
    QuantizationParams.from_tensor(torch.tensor([-1.0, 2.0]), UINT8)
except ValueError as error:
    print(f"ValueError: {error}")

# %% [markdown]
# ### 三种约定
#
# 有符号对称，$\max\lvert x\rvert$ 除以几？有三种约定，都有人用：
#
# | 分母 | INT8 | 最大的正值 | 谁在用 |
# |:--|:--|:--|:--|
# | $2^{b-1} - 1$ | 127 | 精确 | 原文档的代码；TensorRT 和 TensorFlow Lite 的权重，编码只用 $[-127, 127]$ (Krishnamoorthi 2018) |
# | $2^{b-1}$ | 128 | 截断，误差 $s$ | 原文档的总结；定点数的 Q 格式；llama.cpp 的 Q4_0 |
# | $(2^b - 1)/2$ | 127.5 | 误差 $s/2$ | PyTorch 的观察器（observer） |
#
# 原文档的代码和总结用的不是同一种，文中没有说明。Q4_0 让绝对值最大的那个数对准 $-8$，允许 $s$ 是负数，所以它截断的是另一边。
#
# 第三种就是把非对称的公式用在 $[-\max\lvert x\rvert, \max\lvert x\rvert]$ 上：$2\max\lvert x\rvert / (2^b - 1)$。只是 $z$ 直接取 0。

# %%
x = samples.distribution("normal", 10**5)
largest = x.abs().max()
observer = MinMaxObserver(dtype=torch.qint8, qscheme=torch.per_tensor_symmetric)
observer(x)
ends = torch.stack([-largest, largest])
scales = [
    ("2^(b-1)-1", 127, QuantizationParams.from_tensor(x, INT8).scale),
    ("2^(b-1)", 128, QuantizationParams.from_tensor(x, INT8, full_range=True).scale),
    ("(2^b-1)/2, PyTorch", 127.5, observer.calculate_qparams()[0]),
    ("(2^b-1)/2, asymmetric", 127.5, QuantizationParams.from_tensor(ends, INT8, False).scale),
]
for name, steps, scale in scales:
    print(f"{name:22} s predicted {largest / steps:.6f}, measured {scale.item():.6f}")

# %% [markdown]
# **先猜。** 8 位时选哪一种要紧吗？2 位呢？
#
# <details><summary>想好了再看</summary>
#
# 步长之比是 $2^{b-1}/(2^{b-1} - 1)$。8 位时它是 $128/127$，几乎是 1；2 位时它是 2。若 $s^2/12$ 成立、截断不要紧，第二种比第一种多
#
# $$
# 20\log_{10}\frac{2^{b-1}}{2^{b-1}-1}\ \text{dB}
# $$
#
# </details>

# %%
print("                    SQNR in dB when max|x| is divided by        2^(b-1) gains over")
print("         bits   2^(b-1)-1     2^(b-1)   (2^b-1)/2    2^(b-1)-1: predicted  measured")
for name, bits in ((n, b) for n in ("normal", "uniform") for b in (2, 3, 4, 8)):
    x, scheme = samples.distribution(name, 10**5).to(device), QuantizationScheme.from_bits(bits)
    z, ends = torch.tensor(0, device=device), (scheme.qmin, scheme.qmax)
    row = []
    for steps in (scheme.qmax, -scheme.qmin, (scheme.levels - 1) / 2):
        params = QuantizationParams(x.abs().max() / steps, z, *ends)
        row.append(sqnr_db(x, UniformQuantizer(params)(x)))
    gain = 20 * math.log10(-scheme.qmin / scheme.qmax)
    print(f"{name:8} {bits:4} {row[0]:11.2f} {row[1]:11.2f} {row[2]:11.2f}", end="")
    print(f" {gain:22.2f} {row[1] - row[0]:9.2f}")

# %% [markdown]
# 8 位时三者几乎一样。2 位时差得很多：除以 $2^{b-1} - 1 = 1$，只用到 $-1, 0, 1$ 三个编码。
#
# 高斯数据总是除以 $2^{b-1}$ 最好：最大的值极少，截断它们几乎没有代价。3、4、8 位的预测和测量一致；2 位时步长比 $\sigma$ 还大，$s^2/12$ 不成立，预测就不准了。
#
# 均匀数据不同：靠近最大值的数很多，截断它们就有代价。3 位以上是中间的 $(2^b-1)/2$ 最好。没有一种约定总是赢，要紧的是说明用的是哪一种。
#
# `full_range=True` 的最大值恰好差一步：$\hat x_{\max} = s\,(2^{b-1} - 1) = x_{\max} - s$。

# %%
for bits in (2, 4, 8):
    scheme, top = QuantizationScheme.from_bits(bits), largest.view(1)
    params = QuantizationParams.from_tensor(top, scheme, full_range=True)
    clipped = (top - UniformQuantizer(params)(top)).item()
    print(f"{bits} bits: error of the largest value", end="")
    print(f"   predicted s = {params.scale.item():.4f}, measured {clipped:.4f}")

# %% [markdown]
# ## 4 离群值与校准
#
# 步长由最大的值决定。
#
# **先猜。** 一万个数里，有一个变成标准差的 64 倍。8 位时，其余 9999 个数的误差会怎样？4 位时呢？
#
# 拖动「离群值」，再配上不同的位宽。看左图的红线（级）和右图的虚线（$s/2$）。图下的 SQNR 把离群值自己也算在内，后面的表只算其余的数。

# %%
explore.outlier(samples.distribution("normal"), bits=8, symmetric=True)

# %% [markdown]
# <details><summary>看过了再打开</summary>
#
# 原来最大的值约为 $4\sigma$。变成 $64\sigma$，步长是原来的 16 倍，噪声功率是 256 倍，少 24 dB，等于少 4 位。
#
# 4 位更糟：$s = 64\sigma/7$，半步有 $4.6\sigma$，其余的数全部舍入到 0。
#
# </details>
#
# 离群值自己几乎没有误差，代价全由别人付。$s$ 正比于最大值，$\sigma_q^2 = s^2/12$ 就正比于它的平方。最大值每翻一倍，其余各数的 SQNR 少 6.02 dB。

# %%
x = samples.distribution("normal").to(device)
print("                     noise of the others")
print("        outlier    predicted    measured   SQNR of the others")
for scheme in (INT8, INT4):
    for size in (4, 8, 16, 32, 64):
        x[0] = size
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme))
        report = error_report(x[1:], quantizer)
        predicted = noise_power(quantizer.params.scale.item())
        print(f"{scheme.name:6} {size:8} {predicted:12.2e}", end="")
        print(f" {report.mse:11.2e} {report.sqnr_db:17.1f} dB")

# %% [markdown]
# 8 位时预测和测量一致，每行少约 6 dB。4 位的后几行对不上：步长比 $\sigma$ 大得多，$s^2/12$ 不成立了。其余的数都成了 0，噪声就是它们自己的功率 $\sigma^2 = 1$，SQNR 是 0 dB。
#
# 所以「取最小值和最大值，范围最安全」是错觉：它保护了一个数，牺牲了所有别的数。
#
# ### 五种校准方法
#
# **校准**（calibration）就是选范围。范围缩小，步长变细，可是外面的值被截断。
#
# | 方法 | 怎样选 | 代价 |
# |:--|:--|:--|
# | `minmax` | 全部数据 | 一个离群值就毁掉步长 |
# | `percentile` | 丢掉最外面的一小部分，缺省 0.1 %；非对称时两边各丢这么多 | 比例凭经验定，不看位宽：位宽低时丢得不够，高时丢得太多 |
# | `mse` | 范围缩小到 1 % 到 100 %，试一百个，取均方误差最小的 | 只看误差的大小，不看哪个值重要 |
# | `entropy` | 也试一百个，取 KL 散度最小的 | 为 8 位激活值设计，位宽低时未必合适 |
# | `aciq` | 把数据当作高斯分布，由均值和方差直接算出（下面推导） | 数据不像高斯就不准 |
#
# 熵校准来自 TensorRT (Migacz 2017)。它要的不是误差最小，而是分布的形状变得最少。设 $P$ 是数据的直方图，$Q$ 是量化以后的直方图：一个编码里的各格再也分不开，只好平分。**KL 散度**（Kullback–Leibler divergence）是
#
# $$
# D(P \Vert Q) = \sum_i p_i \log_2 \frac{p_i}{q_i}
# $$
#
# 它有一个解释。按 $Q$ 设计编码，第 $i$ 格要 $-\log_2 q_i$ 位，平均 $-\sum p_i \log_2 q_i$ 位；最少只要熵 $-\sum p_i \log_2 p_i$ 位。两者之差就是 $D$：把 $P$ 错当成 $Q$，每个数多花的位数。底取 2 还是 $e$，只差一个常数倍，不影响选择。

# %%
p = torch.tensor([0.4, 0.2, 0.3, 0.1])
q = p.view(2, 2).mean(1).repeat_interleave(2)
extra = (p * p.log2()).sum() - (p * q.log2()).sum()
print("P", [round(v, 2) for v in p.tolist()], "  two bins share a code: Q", end=" ")
print([round(v, 2) for v in q.tolist()])
print(f"D(P||Q) = {(p * (p / q).log2()).sum():.4f} bits; bits by Q less bits by P = {extra:.4f}")

# %% [markdown]
# 激活值有个难处。经过 ReLU，一大半的数恰好是 0，全挤在直方图的一格里。$D$ 几乎只看得见这一格，为了它宁可把别的都截断。办法是动手之前先把恰好是 0 的数去掉一些，直到这一格不比两邻的平均更高。`quantcore` 就是这样做的。
#
# **先猜。** 不压低那一格，8 位的 SQNR 会差多少？

# %%
relu = samples.distribution("relu", 10**5).to(device)
unsigned = QuantizationScheme.UINT8
nudged = torch.where(relu == 0, 1e-6, relu)  # as large a spike, but of no exact zeros
for name, values in (("with the spike capped", relu), ("with the spike left", nudged)):
    p = QuantizationParams.from_tensor(values, unsigned, method="entropy")
    print(f"entropy, {name:21} {sqnr_db(relu, UniformQuantizer(p)(relu)):5.1f} dB")
p = QuantizationParams.from_tensor(relu, unsigned, method="mse")
print(f"mse                            {sqnr_db(relu, UniformQuantizer(p)(relu)):5.1f} dB")

# %% [markdown]
# **先猜。** 每一千个数里有一个放大到二十倍。4 位时哪种方法的 SQNR 最高？8 位时呢？先切换「校准」，再切换位宽。

# %%
explore.calibration(samples.distribution("outliers"), bits=4, symmetric=True)

# %%
x = samples.distribution("outliers", 10**5).to(device)
print("                4 bits: range  clipped   dB    8 bits: range  clipped   dB")
for method in METHODS:
    print(f"{method:12}", end="")
    for scheme in (INT4, INT8):
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme, method=method))
        r, reach = error_report(x, quantizer), (quantizer.params.scale * scheme.qmax).item()
        print(f"{reach:17.1f} {r.clipped:8.3%} {r.sqnr_db:5.1f}", end="")
    print()

# %% [markdown]
# 表里两种位宽都是 `mse` 最高。它在试过的范围里选误差最小的，100 % 也在其中，SQNR 自然不会比 `minmax` 低。8 位时第二名是 `minmax`：步长已经够细，截断多了就得不偿失。
#
# `percentile` 截断的不到 0.1 %，因为最外一级之外半步以内的值还能舍入回来。
#
# ### 位宽不同，该丢的也不同
#
# **先猜。** 换成没有离群值的高斯数据，从 2 位到 8 位。各种方法选的范围会随位宽变吗？

# %%
x = samples.distribution("normal", 10**5).to(device)
print("      " + "".join(f"{method:>15}" for method in METHODS))
print("bits  " + "    range    dB" * len(METHODS))
for bits in (2, 4, 6, 8):
    scheme = QuantizationScheme.from_bits(bits)
    print(f"{bits:4}  ", end="")
    for method in METHODS:
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme, method=method))
        reach = (quantizer.params.scale * scheme.qmax).item()
        print(f"{reach:9.2f} {sqnr_db(x, quantizer(x)):5.1f}", end="")
    print()

# %% [markdown]
# - `mse`：位宽越低，范围越窄。步长的代价大了，值得多截断一些。这正是[信息论基础](01_information_theory.ipynb)一章里颗粒噪声和过载噪声的权衡。
# - `percentile`：范围不随位宽变。2、4 位时太宽，8 位时太窄，比不截断还差；只有 6 位碰巧合适。
# - `entropy`：6、8 位时不截断；2 位时比 `mse` 差得多。
# - `aciq`：没有搜索，结果却和 `mse` 几乎一样。数据正好是高斯的，它猜对了。
#
# ### 知道分布，就不必搜索
#
# `aciq` 的范围从哪里来？设数据是标准差为 $\sigma$ 的高斯，范围是 $\pm c\,\sigma$，两端之间有 $n$ 步，对称的 $b$ 位网格是 $n = 2\,(2^{b-1} - 1)$。以 $\sigma^2$ 为单位，颗粒噪声约为 $\Delta^2/12$，其中 $\Delta = 2c/n$；过载噪声的式子在[信息论基础](01_information_theory.ipynb)一章推导过。记 $P(c) = P(x > c)$，总噪声是
#
# $$
# D(c) = \frac{c^2}{3n^2} + 2\left[(1 + c^2)\,P(c) - c\,p(c)\right]
# $$
#
# 求导时用 $P'(c) = -p(c)$ 和 $p'(c) = -c\,p(c)$，过载那一项的导数化简成 $4\,[c\,P(c) - p(c)]$。令总的导数为零：
#
# $$
# p(c) - c\,P(c) = \frac{c}{6n^2}
# $$
#
# 左边随 $c$ 减小，右边随 $c$ 增大，所以只有一个解。位宽越高，右边越小，$c$ 就越大。这个办法叫 ACIQ (Banner et al. 2019)。
#
# **先猜。** 4 位时 $c$ 大约是多少？每多一位，$c$ 大多少？

# %%
x = samples.distribution("normal", 10**5).to(device)
places = torch.linspace(0.5, 8, 75_001, dtype=torch.float64)
tail, density = torch.special.ndtr(-places), torch.exp(-(places**2) / 2) / (2 * math.pi) ** 0.5
print("bits   c predicted    aciq     mse  (range / sigma)")
for bits in (2, 3, 4, 5, 6, 8):
    scheme, n = QuantizationScheme.from_bits(bits), 2 * (2 ** (bits - 1) - 1)
    solution = places[(density - places * tail < places / (6 * n**2)).nonzero()[0]].item()
    print(f"{bits:4} {solution:13.2f}", end="")
    for method in ("aciq", "mse"):
        p = QuantizationParams.from_tensor(x, scheme, method=method)
        print(f"{(p.scale * scheme.qmax / x.square().mean().sqrt()).item():8.2f}", end="")
    print()

# %% [markdown]
# 3 位以上，解出来的 $c$ 和 `aciq` 用的只差百分之几：`quantcore` 的颗粒噪声多乘了一个 $P(\lvert x \rvert \le c)$，更准一点。2 位时步长和 $\sigma$ 差不多大，$\Delta^2/12$ 不成立，公式就不可靠了。`mse` 的范围只有一百档可选，又多用了 $q_{\min}$ 这个编码，所以不会完全相同。
#
# 不过，离群值一旦被截断，就再也回不来。它若恰好是一个关键的特征，SQNR 不会告诉你。
#
# ### 误差与范围的曲线
#
# 回到有离群值的数据。范围从最大值的 1 % 取到 100 %，画出均方误差。
#
# **先猜。** 4 位、6 位、8 位，哪一条曲线的谷底最靠左？

# %%
x, fractions = samples.distribution("outliers", 10**5).to(device), torch.arange(1, 101) / 100
sheet, best = Sheet(1), {}
for scheme, color in zip((INT4, QuantizationScheme.INT6, INT8), (RED, GREEN, BLUE)):
    full = x.abs().max() / scheme.qmax
    z, ends = torch.tensor(0, device=x.device), (scheme.qmin, scheme.qmax)
    grids = [QuantizationParams(full * f, z, *ends) for f in fractions.tolist()]
    mse = [(x - UniformQuantizer(p)(x)).double().square().mean().item() for p in grids]
    best[scheme.name] = round(100 * fractions[torch.tensor(mse).argmin()].item())
    sheet.line(0, scheme.name, fractions * 100, mse, color=color)
sheet.frame(0, "noise against range", "percent of the largest value", "MSE", yscale="log")
sheet.legend(0, loc="lower left")
sheet.show(f"MSE over the range for INT4, INT6 and INT8; the least at {best} percent")

# %% [markdown]
# 4 位的谷底最靠左。谷底左边是过载噪声，三条曲线几乎重合，因为截断多少与位宽无关。右边是颗粒噪声，位宽越低越高。
#
# ### 一千万个数，搜索一百遍？
#
# 照定义搜索，要把全部数据量化一百遍。`quantcore` 先把数据压成直方图，再拿直方图来搜索。一千万个数变成 4081 格，全部数据只要读几遍。
#
# 4081 是 $255 \times 16 + 1$：8 位的每一步分成 16 格。一个数换成它那一格的代表，最多移动一格，约是不截断时步长的 $1/16$，比舍入误差小。
#
# **先猜。** 快多少倍？找到的均方误差比照定义搜索的大多少？

# %% tags=["nbval-ignore-output"]
# Times belong to the machine, so this output is not compared.
big = samples.distribution("normal", 10**7).to(device)
start = time.perf_counter()
quick = UniformQuantizer(QuantizationParams.from_tensor(big, INT8, method="mse"))
quick_s = time.perf_counter() - start
full, z, ends = big.abs().max() / INT8.qmax, torch.tensor(0, device=device), (-128, 127)
start = time.perf_counter()
grids = [UniformQuantizer(QuantizationParams(full * f, z, *ends)) for f in fractions.tolist()]
naive_mse = [(quantizer(big) - big).square().mean().item() for quantizer in grids]
naive_s = time.perf_counter() - start
print(f"histogram {quick_s:.3f} s, full search {naive_s:.1f} s, ratio {naive_s / quick_s:.0f}")

# %%
ratio = error_report(big, quick).mse / min(naive_mse)
print(f"MSE found by the histogram / MSE found by the full search: {ratio:.3f}")

# %% [markdown]
# 结果一样好，快上百倍（倍数随机器而变）。

# %% [markdown]
# ## 5 粒度
#
# 一个离群值只连累和它共用 $s$ 的数。共用的数越少，受害的就越少。多少个数共用一个 $s$，叫**粒度**（granularity）。
#
# - **逐张量**（per tensor）：整个张量一个 $s$；
# - **逐通道**（per channel）：每个输出通道一个 $s$，卷积的权重常用 (Krishnamoorthi 2018)；
# - **分组**（per group）：最后一维上每 $g$ 个数一个 $s$。
#
# 代价是 $s$ 自己也要存。每 $g$ 个 $b$ 位的权重配一个 32 位的 $s$，共 $g\,b + 32$ 位。平均每个权重占的位数是
#
# $$
# b + \frac{32}{g}
# $$
#
# 这是对称的情形；非对称还要加上 $z$ 的位数。
#
# **先猜。** 4 位、每 16 个一组，平均几位？SQNR 比 5 位逐张量高还是低？
#
# 下面用一个真正训练过的网络。卷积层的权重是（32, 16, 3, 3），每个输出通道展平成一行。第三列是同一个线性层，其中一个权重改成最大值的 8 倍。

# %%
network = samples.digits_network()
layers = [network[i].weight.flatten(1).to(device) for i in (2, 5, 5)]
layers[2] = layers[2].index_put((torch.tensor(0), torch.tensor(0)), 8 * layers[2].abs().max())
cases = [(4, "tensor", {}), (5, "tensor", {}), (4, "channel", {"axis": 0})]
cases += [(4, f"group {g}", {"group_size": g}) for g in (64, 32, 16)]
print("bits/weight:     conv (32, 144)         linear (10, 512)       linear, an outlier")
print("             " + "  predicted actual   dB" * 3)
for bits, name, options in cases:
    print(f"INT{bits} {name:9}", end="")
    for w in layers:
        p = QuantizationParams.from_tensor(w, QuantizationScheme.from_bits(bits), **options)
        g = options.get("group_size", w.shape[1] if options else w.numel())
        print(f"{bits + 32 / g:10.2f} {bits + 32 * p.scale.numel() / w.numel():7.2f}", end="")
        print(f" {sqnr_db(w, UniformQuantizer(p)(w)):5.1f}", end="")
    print()

# %% [markdown]
# - 位数：预测和实际只有卷积的两行不同。144 不是 64 的倍数，也不是 32 的倍数，每行的最后一组短一些，$s$ 就多一些。
# - 没有离群值的两层：每 16 个一组要 6 位，SQNR 却略低于 5 位逐张量。这里多花的位数不如直接加一位。
# - 有离群值：逐张量差得很多，分组受的影响小得多。离群值越突出，细粒度越值得。
#
# 分组的代价在 $s$ 上，所以实际的系统不用 32 位存它。QLoRA 用 NF4 时，每 64 个权重共用一个 $s$，这个 $s$ 再量化成 8 位 (Dettmers et al. 2023)；MX 格式每 32 个数共用一个 8 位的 $s$ (OCP Microscaling formats 1.0)。
#
# 下面的热图每行是一个输出通道。切换「粒度」，看误差图的颜色怎样变淡，右图各行的 SQNR 怎样变。

# %%
explore.granularity(layers[1][:, :64].contiguous().cpu(), bits=4, symmetric=True)

# %% [markdown]
# ### 通道在哪一维
#
# **先猜。** 输出通道总是第 0 维吗？
#
# <details><summary>想好了再看</summary>
#
# 不是。`Linear` 和 `Conv2d` 的权重第 0 维是输出通道；`ConvTranspose2d` 的权重形状是（输入，输出，高，宽），输出通道在第 1 维。选错了维，程序不报错，只是误差变大。
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
# 用对了维，每个通道的误差都和它自己的大小相称。用错了，小的通道和大的共用一个 $s$，几乎全成了 0。
#
# 激活值通常逐张量：输入通道是求和的方向，沿它变化的 $s$ 提不到求和号外面，[均匀量化器](04_quantizer.ipynb)一章会推导。分组的权重也沿这个方向变，所以要一组一组地求和，各乘各的 $s$，再加起来。
#
# ## 6 坏的输入
#
# **先猜。** 原文档遇到很小的数、全零、NaN，各会怎样？
#
# <details><summary>想好了再看</summary>
#
# 它给 $s$ 设了下限 $10^{-8}$，免得除以 0，所以全零没有事。可是对很小的数，这个下限太大，结果全成了 0。NaN 则一声不响地传下去。
#
# </details>

# %%
cases = {"tiny": [1e-9, -1e-9, 5e-10], "all zeros": [0.0, 0.0, 0.0], "NaN": [1.0, torch.nan]}
for name, values in cases.items():
    x = torch.tensor(values)
    print(f"{name:10} document ", [float(f"{v:.2g}") for v in document(x, INT8).tolist()])
    if not x.isnan().any():
        right = UniformQuantizer(QuantizationParams.from_tensor(x, INT8, symmetric=False))
        print(f"{'':10} quantcore", [float(f"{v:.2g}") for v in right(x).tolist()])

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
# - 有符号对称除以 $2^{b-1} - 1$；无符号对称除以 $2^b - 1$，不收负数。还有两种约定：`full_range` 除以 $2^{b-1}$，最大的正值差一步；PyTorch 的观察器除以 $(2^b - 1)/2$。8 位时差别很小，2 到 4 位要紧。
# - 一个离群值放大其余各数的误差：最大值翻倍，它们的 SQNR 少 6.02 dB。截断让步长变细，也丢掉离群值。位宽越低，越值得截断。
# - 粒度越细，误差通常越小，存 $s$ 越贵：每个权重 $b + 32/g$ 位。输出通道不总在第 0 维。
#
# 下一章：[均匀量化器](04_quantizer.ipynb)。参数有了，量化还剩三步，次序一步也不能错。
