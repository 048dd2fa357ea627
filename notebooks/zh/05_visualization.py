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
# # 可视化：从图上看出量化哪里出了毛病
#
# 一个 SQNR 告诉你量化得好不好，不告诉你**为什么**。图能告诉你，只要知道往哪里看。这一章不推导新公式，只练眼睛：健康的样子是什么，每一种毛病又是什么样子。
#
# **学完这一章，你能：**
#
# - 读懂原文档的三个面板：分布、误差、量化前后对照；
# - 从误差的形状和频谱，看出它还是不是「噪声」；
# - 画出一个网络每一层的 SQNR，找到最怕量化的那一层；
# - 看四张图，说出四种毛病：截断太多，范围浪费，0 不精确，离群值；
# - 说出图会怎样骗人。
#
# | 部分 | 时间 |
# |:--|:--|
# | 1 三个面板 | 15 分钟 |
# | 2 分布、粒度、校准 | 15 分钟 |
# | 3 阶梯与频谱 | 10 分钟 |
# | 4 一个真正的网络 | 10 分钟 |
# | 5 诊断 | 15 分钟 |
# | 6 图会骗人 | 5 分钟 |

# %%
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import explore, noise_power, samples, sqnr_db, visualize_quantization
from quantcore.information import error_report
from quantcore.sheet import BLUE, GRAY, GREEN, RED, Sheet
from quantcore.visualization import density, draw_matrix, draw_quantization

INT4, INT8 = QuantizationScheme.INT4, QuantizationScheme.INT8
device = "cuda" if torch.cuda.is_available() else "cpu"

# %%
explore.set_language("zh")

# %% [markdown]
# ## 1 三个面板
#
# 先看一个健康的例子：一万个高斯数，INT4，对称。
#
# **先猜。** 右边的面板会是一条直线、一条阶梯，还是一团云？

# %%
x = samples.distribution("normal").to(device)
visualize_quantization(x, INT4, symmetric=True)

# %% [markdown]
# **分布。** 蓝色是 $x$ 的直方图。红线是 $\hat x$：每个编码一根，高度是这个编码的概率除以步长 $s$，所以和密度可以直接比。健康时红线的顶端沿着蓝色的轮廓走，两头的编码也有人用。
#
# **误差。** 横轴是 $e/s$，$e = x - \hat x$。健康时它填满 $\pm\tfrac12$ 的方框，方框外面是空的。方框外面有东西，就是截断；方框里面不平，就是步长太大，或者数据本来就在网格上。
#
# **量化前后对照。** 横轴 $x$，纵轴 $\hat x$。健康时是一条沿着虚线的阶梯。两头变平，就是截断。
#
# 方框是对的吗？它的面积是 1，方差是 $1/12$。测一测误差的方差，以及落在方框里的比例：

# %%
print("scheme   var(e/s) measured   predicted 1/12   share with |e| <= s/2")
for bits in (3, 4, 6, 8):
    scheme = QuantizationScheme.from_bits(bits)
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, scheme))
    e = (x - quantizer(x)) / quantizer.params.scale
    inside = (e.abs() <= 0.5 + 1e-4).float().mean()
    print(f"{scheme.name:6} {e.square().mean():14.4f} {noise_power(1.0):18.4f} {inside:18.3f}")

# %% [markdown]
# 现在动手。**先猜**：从 8 位拖到 2 位，三个面板里哪一个先变样？取消「对称」呢？

# %%
explore.quantization(x, bits=8, symmetric=True)

# %% [markdown]
# <details><summary>看过了再打开</summary>
#
# 右边的面板最先看出台阶，6 位左右就有了；左边的红线到 5 位开始分得开；误差的方框最后才变样，要到 3 位以下。8 位时前两个面板几乎看不出量化。所以**看高位宽，要看误差面板**。
#
# </details>
#
# ## 2 分布、粒度、校准
#
# 同一张网格，放在不同的数据上。**先猜**：高斯、拉普拉斯、均匀、ReLU、带离群值，4 位时哪一个的 SQNR 最高，哪一个最低？取消「对称」，哪一个得益最多？

# %%
explore.shapes(bits=4, symmetric=True)

# %%
print("shape       symmetric   asymmetric   gain, dB")
for shape in samples.SHAPES:
    x = samples.distribution(shape).to(device)
    row = []
    for symmetric in (True, False):
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT4, symmetric))
        row.append(sqnr_db(x, quantizer(x)))
    print(f"{shape:10} {row[0]:9.2f} {row[1]:12.2f} {row[1] - row[0]:10.2f}")

# %% [markdown]
# 均匀分布最高：每个编码都用得上。离群值最低：红线只剩中间一两根。ReLU 从非对称得益最多，约 6 dB，正好是白白空着的那一位。
#
# 下面换成真正的权重：训练过的数字识别网络的最后一层。四个开关一起用。
#
# **先猜。** 4 位，逐张量，`minmax`。改一个开关，哪一个得益最多：非对称、逐通道、分组，还是 `mse`？

# %%
w = samples.digits_network()[5].weight
explore.workbench(w, bits=4, symmetric=True)

# %%
base = None
for name, options in {
    "as it is": {}, "asymmetric": {"symmetric": False}, "per channel": {"axis": 0},
    "per group": {"group_size": 16}, "mse": {"method": "mse"},
}.items():
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(w, INT4, **options))
    db = sqnr_db(w, quantizer(w))
    base = base or db
    print(f"{name:12} {db:6.2f} dB   {db - base:+.2f}")

# %% [markdown]
# ### 热图
#
# 权重是一个矩阵，把它画成矩阵。左边是权重，中间是误差，右边是每行的 SQNR。
#
# **看什么。** 误差图里有没有**条纹**。健康的误差图像沙子，处处一样深。某一行整行发白，说明它的权重远小于 $s$，全被量化成 0；某一行特别深，说明它被截断了。

# %%
explore.granularity(w[:, :64].contiguous(), bits=4, symmetric=True)

# %% [markdown]
# 把第 3 行缩小到十分之一，让毛病明显些。**先猜**：逐张量 4 位时，这一行还剩多少 dB？

# %%
sick = w[:, :64].clone()
sick[3] /= 10
sheet = Sheet(3, height=3.4)
line = draw_matrix(sheet, sick, UniformQuantizer(QuantizationParams.from_tensor(sick, INT4)), 4)
sheet.show(f"weights with a small row, their error, SQNR of each row: {line}")

# %%
for name, options in {"per tensor": {}, "per channel": {"axis": 0}}.items():
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(sick, INT4, **options))
    whole, row = sqnr_db(sick, quantizer(sick)), sqnr_db(sick[3], quantizer(sick)[3])
    print(f"{name:12} whole {whole:5.1f} dB   row 3 {row:5.1f} dB")

# %% [markdown]
# 整体的 SQNR 几乎没有变，第 3 行却毁了。**一个总数会盖住局部的灾难**，热图不会。
#
# ## 3 阶梯与频谱
#
# 不看数据，只看量化器自己：$\hat x$ 随 $x$ 怎样变，误差随 $x$ 怎样变。
#
# **先猜。** 非对称、2 位，范围 $[-1, 2]$。0 在哪一级台阶上？台阶的中点在 0 吗？

# %%
explore.staircase(bits=2, symmetric=False)

# %% [markdown]
# 左图的空心圈是 0，它总落在一级上，台阶以它为中点：整数网格加零点，总是**中平**的（mid-tread）。右图绿色的锯齿是误差，每个周期从 $-\tfrac12$ 升到 $\tfrac12$，出了范围就一路走高。
#
# 锯齿是 $x$ 的函数。所以误差**不是**随机的，它完全由信号决定。信号有规律，误差就有规律，在频谱上是一根根的线。
#
# **先猜。** 一个满幅的正弦，4 位。误差的谱是平的，还是有尖峰？打开**抖动**（dither）呢？

# %%
explore.spectrum(bits=4)

# %% [markdown]
# 抖动之后，尖峰沉到平坦的噪声里，总功率却没有变小。耳朵和眼睛对尖峰敏感，对平坦的噪声不敏感。测一下最高的一根线和总功率：

# %%
n = torch.arange(8192, dtype=torch.float64)
x = torch.sin(2 * torch.pi * 331 / 8192 * n)
quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT4))
s = quantizer.params.scale
noise = s * (torch.rand(8192, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5)
for name, e in (("plain", x - quantizer(x)), ("dither", x + noise - quantizer(x + noise))):
    lines = torch.fft.rfft(e).abs().square()
    print(f"{name:7} power / (s²/12) {e.square().mean() / noise_power(s):.2f}", end="   ")
    print(f"highest line / mean line {lines.max() / lines.mean():4.0f}")

# %% [markdown]
# ## 4 一个真正的网络
#
# 三层权重，从 2 位到 8 位，各自的 SQNR。虚线的斜率是每位 6.02 dB。
#
# **先猜。** 三条线平行吗？哪一层最低？

# %%
network = samples.digits_network()
sheet, table = Sheet(1, height=3.4), {}
for i, color in ((0, BLUE), (2, GREEN), (5, RED)):
    w, name = network[i].weight, f"{i} {type(network[i]).__name__}"
    quantizers = [
        UniformQuantizer(QuantizationParams.from_tensor(w, QuantizationScheme.from_bits(b)))
        for b in range(2, 9)
    ]
    table[name] = [round(sqnr_db(w, quantizer(w)), 1) for quantizer in quantizers]
    sheet.line(0, name, range(2, 9), table[name], color=color, marker="o")
sheet.line(0, "6.02 b", range(2, 9), [6.02 * b for b in range(2, 9)], color=GRAY, linestyle="--")
sheet.frame(0, "SQNR of each layer's weights, per tensor, minmax", "bit width b", "dB")
sheet.legend(0, loc="upper left")
sheet.show(f"SQNR over bits 2 to 8 by layer, dB: {table}")

# %% [markdown]
# 4 位以上，每层都以大约 6 dB 一位的斜率上升，高低由**峰值与均方根之比**决定：最大的权重比一般的大得越多，浪费的编码越多。2 位附近线就弯了，那里 $\Delta^2/12$ 已经不成立。
#
# 峰值与均方根之比能预测高低吗？对称量化 $s = \max\lvert w\rvert / (2^{b-1} - 1)$，噪声 $s^2/12$，所以
#
# $$
# \mathrm{SQNR} = 10 \log_{10} \frac{12\,(2^{b-1} - 1)^2\, w_{\mathrm{rms}}^2}{\max\lvert w \rvert^2}
# $$

# %%
print("layer       peak / rms   8 bits: predicted   measured")
for i in (0, 2, 5):
    w = network[i].weight
    ratio = (w.abs().max() / w.square().mean().sqrt()).item()
    predicted = 10 * torch.tensor(12 * 127**2 / ratio**2).log10().item()
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(w, INT8))
    name = f"{i} {type(network[i]).__name__}"
    print(f"{name:9} {ratio:12.2f} {predicted:16.1f} dB {sqnr_db(w, quantizer(w)):8.1f} dB")

# %% [markdown]
# ## 5 诊断
#
# 下面四张图，每张一种毛病：**截断太多**、**范围浪费**、**0 不精确**、**离群值**。次序打乱了。每张先自己看，写下诊断和理由，再打开答案。数据都是同一批高斯数（图 C 例外，图 D 取了 ReLU 的输出）。

# %%
x = samples.distribution("normal")
outlier = x.clone()
outlier[0] = 40


def grid(scale):
    params = QuantizationParams(torch.tensor(scale), torch.tensor(0), INT4.qmin, INT4.qmax)
    return UniformQuantizer(params)


def case(name, x, quantizer):
    sheet = Sheet(3)
    return sheet.show(f"case {name}: {draw_quantization(sheet, x, quantizer)}")

# %%
case("A", x, grid(0.15))

# %% [markdown]
# <details><summary>图 A 的答案</summary>
#
# **截断太多。** 右图两头是平的；误差面板的方框还在，方框外却拖着尾巴，两边的边上各堆着一根柱子；左图最外面的两根红线冲到顶。中间的台阶很细，可惜没有用。
#
# </details>

# %%
case("B", x, grid(2.0))

# %% [markdown]
# <details><summary>图 B 的答案</summary>
#
# **范围浪费。** 4 位有 16 个编码，左图只看到四五根红线，其余的编码没有人用；右图只有几级台阶。误差老老实实待在方框里，没有截断：步长太大，范围选得比数据大了好几倍。
#
# </details>

# %%
case("C", outlier, UniformQuantizer(QuantizationParams.from_tensor(outlier, INT4)))

# %% [markdown]
# <details><summary>图 C 的答案</summary>
#
# **离群值。** 和图 B 一样只用到几个编码，但是横轴被撑开了：左图右图的数据挤在左边，右图的远处孤零零一个点。图 B 是范围选错，图 C 是 `minmax` 被一个数绑架。
#
# </details>

# %%
relu = samples.distribution("relu")
step = (relu.max() / 15).item()
zero_off = torch.round(relu / step - 0.5).clamp(0, 15) * step + step / 2
sheet = Sheet(2)
sheet.frame(0, "case D: error", "(x - x̂) / s", "density", (-1.5, 1.5), (0, 6))
heights, edges = density((relu - zero_off) / step, -1.5, 1.5, 61)
sheet.bars(0, "error", heights.clamp(max=6), edges, color=GREEN)
sheet.frame(1, "case D: original against quantized", "x", "x̂", (-0.2, 2), (-0.2, 2))
sheet.points(1, "values", relu[:2000], zero_off[:2000], color=RED)
sheet.line(1, "x̂ = x", [0, 2], [0, 2], color=GRAY, linestyle="--")
sheet.show(f"case D: mean error {(relu - zero_off).mean() / step:.2f} s, "
           f"x̂ of 0 is {zero_off[relu == 0].mean() / step:.2f} s")

# %% [markdown]
# <details><summary>图 D 的答案</summary>
#
# **0 不精确。** 误差面板在 $-\tfrac12$ 处有一根冲天的柱子：一半的数是 0，每个 0 都变成了 $s/2$。右图的阶梯不经过原点。误差的均值也不是 0，求和时会累积起来。
#
# </details>
#
# 眼睛看完，再用数核对。四个检查，一种毛病一个：
#
# | 毛病 | 数 | 健康时 |
# |:--|:--|:--|
# | 截断太多 | 被截断的比例 | 不到 1 % |
# | 范围浪费 | 用到的编码占全部的比例 | 一半以上 |
# | 离群值 | 峰值与均方根之比 | 十以下 |
# | 0 不精确 | $\hat x(0)/s$ | 恰好是 0 |
#
# 界限是经验的，不是定律：把它们当作「该去看图了」的信号。

# %%
def checklist(x, x_hat, codes, levels, clipped, step, at_zero):
    used = len(codes.unique()) / levels
    peak = (x.abs().max() / x.square().mean().sqrt()).item()
    print(f"clipped {clipped:6.1%}   codes used {used:4.0%}   peak/rms {peak:5.1f}", end="   ")
    print(f"x̂(0)/s {at_zero / step:4.2f}   SQNR {sqnr_db(x, x_hat):5.1f} dB")


healthy = UniformQuantizer(QuantizationParams.from_tensor(x, INT4))
sick = UniformQuantizer(QuantizationParams.from_tensor(outlier, INT4))
for name, t, q in (("ok", x, healthy), ("A", x, grid(0.15)), ("B", x, grid(2.0)), ("C", outlier, sick)):
    print(f"{name:3}", end="")
    clipped, zero = error_report(t, q).clipped, q(torch.zeros(1)).item()
    checklist(t, q(t), q.quantize(t), 16, clipped, q.params.scale.item(), zero)
print("D  ", end="")
checklist(relu, zero_off, zero_off, 16, 0.0, step, zero_off[relu == 0][0].item())

# %% [markdown]
# 每一种毛病都有一个数不正常，C 有两个：离群值也浪费范围。D 的 SQNR 看着还好，比健康的高斯还高一些，可是 $\hat x(0)$ 一眼就露了馅。
#
# ## 6 图会骗人
#
# **直方图的格数。** 原文档给 $x$ 和 $\hat x$ 各画 50 格的直方图。INT8 有 256 级，50 格里有的装 5 级，有的装 6 级。
#
# **先猜。** 均匀分布的 $\hat x$，50 格的直方图是平的吗？

# %%
x = samples.distribution("uniform", 10**6)
x_hat = UniformQuantizer(QuantizationParams.from_tensor(x, INT8))(x)
sheet, spread = Sheet(2), []
for i, (name, t) in enumerate((("x", x), ("x̂", x_hat))):
    heights, edges = density(t, -1.75, 1.75, 50)
    inner = heights[2:-2]
    spread.append((inner.max() / inner.min()).item())
    sheet.bars(i, name, heights, edges, color=(BLUE, RED)[i])
    sheet.frame(i, f"{name} in 50 bins", name, "density", (-1.8, 1.8), (0, 0.4))
sheet.show(f"uniform data and its INT8 values in 50 bins: highest over lowest bin "
           f"{spread[0]:.2f} and {spread[1]:.2f}")

# %% [markdown]
# $\hat x$ 的「梳齿」不是量化的毛病，是格子和级没有对齐（莫尔条纹）。画离散的数，一级一根线，像第 1 节的红线那样。
#
# 还有三条：
#
# - **散点图藏住密度。** 一万个点叠在一起，看不出一个地方有十个还是一千个。看密度用直方图。
# - **误差要除以 $s$ 再看。** 用原来的单位，8 位和 2 位的误差相差几十倍，只能看见「变大了」；除以 $s$ 才看得出形状。比较两种方案的好坏，又要用原来的单位。
# - **尾巴要用对数轴。** 离群值只有千分之一，线性的纵轴上看不见。`explore.calibration` 的左图用的就是对数轴。
#
# ## 小结
#
# - 三个面板各有分工：分布看编码用得怎样，误差看还是不是均匀噪声，对照看截断和 0。
# - 误差除以 $s$，健康时填满 $\pm\tfrac12$ 的方框，方差 $1/12$。
# - 误差由信号决定；信号有规律，误差的谱上就有线。抖动抹平线，不减小功率。
# - 峰值与均方根之比，预测一层的 SQNR。
# - 一个总的 SQNR 会盖住局部的灾难。按行、按层、按通道看。
# - 四种毛病各有一个数可以核对。
#
# 下一章：[总结](06_summary.ipynb)。
