# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 均匀量化器：一个值、一个梯度、一次乘法
#
# 参数有了，量化只剩三步：**舍入**（rounding），加**零点**（zero point），**截断**（clipping）。次序错一步，结果就变，而且往往只在少数值上变，很难发现。
#
# 这一章先把三步定死，证明它的四条性质；再给它一个梯度，训练时用；最后只用整数做一次矩阵乘法。
#
# **学完这一章，你能：**
#
# - 写出量化、反量化、**伪量化**（fake quantization），说出每一步的次序为什么要紧；
# - 给误差一个界，并证明它；
# - 解释**直通估计器**（straight-through estimator）：它让什么通过，不让什么通过，什么时候靠不住；
# - 从头到尾跟踪一次只用整数的矩阵乘法，说出四项各是什么。
#
# | 部分 | 时间 |
# |:--|:--|
# | 1 三步和次序 | 25 分钟 |
# | 2 别人怎样算 | 10 分钟 |
# | 3 四条性质 | 15 分钟 |
# | 4 梯度 | 20 分钟 |
# | 5 只用整数的乘法 | 20 分钟 |

# %%
import time
import warnings

import numpy as np
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import explore, fixed_point_multiplier, integer_matmul, samples, sqnr_db
from quantcore.integer import requantize
from quantcore.sheet import BLUE, GRAY, GREEN, RED, Sheet

INT3, INT8, UINT8 = (QuantizationScheme[name] for name in ("INT3", "INT8", "UINT8"))
device = "cuda" if torch.cuda.is_available() else "cpu"

# %%
explore.set_language("zh")

# %% [markdown]
# ## 1 三步和次序
#
# 定义照 ONNX 算子规范里的 QuantizeLinear 和 DequantizeLinear：
#
# $$
# q = \operatorname{clamp}\!\left(\operatorname{rint}\!\left(\frac{x}{s}\right) + z,\ q_{\min},\ q_{\max}\right), \qquad
# \hat x = s\,(q - z)
# $$
#
# $\operatorname{rint}$ 舍入到最近的整数，正好在中间时取偶数那一个。先用三行代码照公式写一遍，再和 `quantcore` 对一对。

# %%
x = samples.distribution("normal", 10**5).to(device)
params = QuantizationParams.from_tensor(x, UINT8, symmetric=False)
quantizer = UniformQuantizer(params)
s, z = params.scale, params.zero_point
q = torch.clamp(torch.round(x / s) + z, 0, 255)
x_hat = s * (q - z)
print("codes equal: ", torch.equal(q.to(torch.uint8), quantizer.quantize(x)))
print("values equal:", torch.equal(x_hat, quantizer(x)))

# %% [markdown]
# `quantizer(x)` 先量化、再反量化，得到的还是浮点数，只是都落在网格上。这就是伪量化。
#
# 三步都很简单。下面把它们一步一步地弄错，看看各坏在哪里。
#
# ### 先加零点，还是先舍入
#
# 原文档的代码算的是 $\operatorname{rint}(x/s + z)$：先加，后舍入。有人说：$z$ 是整数，先加后加都一样。
#
# **先猜。** $x = 0.5$，$s = 1$，$z = 1$，两种次序各得几？
#
# <details><summary>想好了再看</summary>
#
# 先舍入：$\operatorname{rint}(0.5) + 1 = 0 + 1 = 1$。先加：$\operatorname{rint}(1.5) = 2$。
#
# 不在中间的值，加一个整数不影响往哪边舍。正好在中间时，「取偶数」看的是舍入那一刻的数。$z$ 是奇数，加上它，奇偶就翻过来了。
#
# </details>

# %%
ties = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
print("x / s               ", ties.tolist())
for z in (1, 2):
    print(f"z = {z}  rint(x/s) + z ", (torch.round(ties) + z).int().tolist())
    print("       rint(x/s + z) ", torch.round(ties + z).int().tolist())
one = UniformQuantizer(QuantizationParams(torch.tensor(1.0), torch.tensor(1), 0, 255))
print("quantcore, x = 0.5, z = 1:", one.quantize(torch.tensor([0.5])).item())

# %% [markdown]
# $z = 1$ 时，六个中间值全都差一；$z = 2$ 时一个也不差。
#
# 「中间值那么少，谁会碰上？」低精度浮点数天天碰上。设浮点数有 $p$ 位有效数字，$x/s$ 在 $[0, 128)$ 里均匀分布：
#
# - 落在 $[2^{7-k}, 2^{8-k})$ 的概率是 $2^{-k}$，$k = 1, 2, \dots$；
# - 这一段里，相邻的浮点数相距 $2^{8-k-p}$，所以恰好等于「整数加一半」的占 $2^{8-k-p}$（$p \ge 8$）。
#
# 奇数的 $z$ 把每个中间值都弄错，出错的比例是
#
# $$
# \sum_{k \ge 1} 2^{-k} \cdot 2^{8-k-p} = \frac{2^{8-p}}{3}
# $$
#
# **先猜。** bfloat16 有 $p = 8$ 位，float32 有 $p = 24$ 位。各错多少？

# %%
generator = torch.Generator().manual_seed(0)
u = torch.rand(10**6, generator=generator) * 128
print("dtype      z   predicted   wrong")
for dtype, p in ((torch.bfloat16, 8), (torch.float32, 24)):
    v = u.to(dtype)
    for z in (1, 2):
        wrong = torch.round((v + z).float()) != torch.round(v.float()) + z
        predicted = 2 ** (8 - p) / 3 * (z % 2)
        print(f"{str(dtype)[6:]:8} {z:3} {predicted:11.3f} {wrong.float().mean():7.2f}")

# %% [markdown]
# bfloat16 里三个编码错一个。测得的比预测的还多一点。$v + z$ 有时跨进下一段，那里的浮点数更稀，加法自己要先舍入一次，公式没有算这一笔。
#
# 这是另一种错。$x/s$ 不是中间值，只是离得近；浮点加法先把和舍入到中间，$\operatorname{rint}$ 再舍入一次。这叫**二次舍入**（double rounding），$z$ 越大越常见。float32 也躲不过，只是要离得非常近。
#
# **先猜。** 取 $k + \tfrac12$ 左边紧挨着的那个 float32，$z = 128$ 是偶数。先加零点会错多少？
#
# <details><summary>想好了再看</summary>
#
# 一半。$z = 128$ 把那一点点差别舍掉了，和成了中间值 $k + 128\tfrac12$，再按偶数舍入：$k$ 是偶数时往下，对了；$k$ 是奇数时往上，错了。
#
# </details>

# %%
near = torch.nextafter(torch.arange(64) + 0.5, torch.tensor(0.0))
for z, predicted in ((0, 0), (128, 0.5)):
    wrong = torch.round(near + z) != torch.round(near) + z
    print(f"z = {z:3}   predicted {predicted:.2f}   wrong {wrong.float().mean():.2f}")

# %% [markdown]
# 所以次序是：除，舍入，然后才加 $z$。`quantcore` 遇到 bfloat16 和 float16，先转成 float32 再算。
#
# ### 取偶数，还是五入
#
# 学校里教「五入」，$\lfloor u + \tfrac12 \rfloor$。中间值一律往上，每个多出 $\tfrac12$。中间值占的比例是 $t$，平均偏差就是 $t/2$。
#
# 真实数据里，中间值从哪里来？把两个整数取平均，和是奇数时就是中间值。图像缩小一半，每个像素都要做一次。
#
# **先猜。** 把一张 8 位的照片横向缩小一半，再缩小一半……五入五次以后，照片会变亮、变暗，还是不变？
#
# <details><summary>想好了再看</summary>
#
# 变亮。两个像素的和有一半左右是奇数，每次五入平均加 $\tfrac14$ 个编码，五次就加一个多编码。取偶数时，往上和往下大致各半，互相抵消。
#
# </details>

# %%
pixels = torch.round(samples.photograph() * 255)
print("rounding       ties   bias predicted   measured   brighter after 5 times")
for name, rounding in {
    "half up": lambda t: torch.floor(t + 0.5),
    "half to even": torch.round,
}.items():
    image, first = pixels, None
    for _ in range(5):
        exact = (image[:, 0::2] + image[:, 1::2]) / 2
        image = rounding(exact)
        first = first or ((exact % 1 != 0).float().mean().item(), (image - exact).mean().item())
    mean, after = round(first[1], 2) + 0.0, round((image.mean() - pixels.mean()).item(), 1) + 0.0
    predicted = first[0] / 2 if name == "half up" else 0.0
    print(f"{name:12} {first[0]:6.2f} {predicted:16.2f} {mean:10.2f} {after:16.1f}")

# %% [markdown]
# 偏差虽小，却总朝一个方向，层层累加。这是标准选「取偶数」的主要理由。
#
# ### 舍入，不是去掉小数
#
# `int(x / s)` 把小数直接去掉（truncation），向 0 取整。误差的绝对值落在 $[0, s)$ 里，不是 $[0, s/2]$。均匀分布时，噪声功率是
#
# $$
# \sigma_q^2 = \frac1s \int_0^s e^2\,\mathrm{d}e = \frac{s^2}{3}
# $$
#
# 是 $s^2/12$ 的四倍。**先猜**：等于丢了几位？

# %%
x = samples.distribution("uniform", 10**6).to(device)
s = QuantizationParams.from_tensor(x, INT8).scale
ways, noise = (("rint", torch.round, s**2 / 12), ("trunc", torch.trunc, s**2 / 3)), {}
for name, rounding, predicted in ways:
    noise[name] = (x - s * rounding(x / s)).double().square().mean()
    print(f"{name:6} predicted {predicted.item():.2e}   measured {noise[name].item():.2e}")
loss = 10 * torch.log10(noise["trunc"] / noise["rint"]).item()
print(f"loss: predicted {20 * torch.tensor(2.0).log10():.2f} dB   measured {loss:.2f} dB")

# %% [markdown]
# 6.02 dB，整整 1 位。少写一个 `round`，8 位量化器就成了 7 位的。
#
# ### 截断是定义的一部分
#
# 原文档的总结写着 $Q(x) = \operatorname{round}(x/s + z)$，没有截断。**先猜**：照它写，编码算出 200，存进 int8，读出来是几？
#
# <details><summary>想好了再看</summary>
#
# $-56$。int8 只留低 8 位，$200 - 256 = -56$。一个偏大的正数成了负数。
#
# </details>

# %%
u = torch.tensor([100.0, 127.25, 128.0, 200.0])
wrapped = torch.round(u).to(torch.int32).to(torch.int8)
unit = UniformQuantizer(QuantizationParams(torch.tensor(1.0), torch.tensor(0), -128, 127))
print("x / s      ", u.tolist())
print("no clamp   ", wrapped.tolist(), "  error", (u - wrapped).tolist())
print("quantcore  ", unit.quantize(u).tolist(), "  error", (u - unit(u)).tolist())
print("+inf, -inf ", unit.quantize(torch.tensor([torch.inf, -torch.inf])).tolist())

# %% [markdown]
# 有截断，超出多少错多少；没有截断，超出一点，错整整 256。无穷大有确定的去处，停在最外面的编码上。
#
# **截断放在哪里？** 先看两种写法，UINT8，$z = 128$：
#
# 1. 先把 $x/s$ 截断到 $[0, 255]$，再舍入，再加 $z$；
# 2. 先把 $x/s$ 截断到 $[0 - z,\ 255 - z]$，再舍入，再加 $z$。
#
# **先猜。** 哪一种是错的？
#
# <details><summary>想好了再看</summary>
#
# 第 1 种。$[q_{\min}, q_{\max}]$ 是 $q$ 的范围，不是 $x/s$ 的。负数全被截成 0，加上 $z$ 又会超过 255。
#
# 第 2 种是对的。两头跟着移了 $z$，而且两头都是整数，所以截断和舍入可以交换。（`quantcore` 的 `forward` 也用了移动两头的办法，省去加 $z$ 又减 $z$。）
#
# </details>

# %%
u, z = torch.tensor([-100.0, -1.0, 50.0, 126.7, 200.0]), 128
print("x / s        ", [round(v, 1) for v in u.tolist()])
print("1 clamp first", (torch.round(u.clamp(0, 255)) + z).int().tolist())
print("2 ends moved ", (torch.round(u.clamp(0 - z, 255 - z)) + z).int().tolist())
print("definition   ", (torch.round(u) + z).clamp(0, 255).int().tolist())

# %% [markdown]
# ### 零点的三种错
#
# 上一章得到 $z = q_{\min} - x_{\min}/s$，舍入成整数。它是实数 0 的编码，所以反量化要**减**它。常见的错有三种：
#
# - 符号：$\hat x = s\,(q + z)$；
# - 舍入得太晚：编码时用没舍入的 $z$，反量化时用舍入过的 $z$；
# - 一直是浮点数：编码和反量化都用没舍入的 $z$。
#
# **先猜。** 第三种看起来最精确。它错在哪里？
#
# <details><summary>想好了再看</summary>
#
# 误差仍不超过半格，可是 0 没有自己的编码了。0 回来时是 $s\,(\operatorname{rint}(z) - z)$，不是 0。补零、ReLU、剪枝的每一个 0 都带上这个误差。
#
# 第二种平移了所有的值：编码加了 $z$，反量化只减 $\operatorname{rint}(z)$，差额留在每个值里。
#
# </details>

# %%
s, exact = 4 / 255, -128 + 255 / 4  # INT8 over [-1, 3]: exact = qmin - xmin / s
z = round(exact)
x = torch.cat([torch.zeros(1), torch.linspace(-1, 3, 10_001)]).double().to(device)
early, late = torch.round(x / s) + z, torch.round(x / s + exact)
print(f"z = {exact:.2f}, rounded {z}")
print("in units of s   mean error   largest   error of 0")
for name, (q, back) in {
    "right": (early, z), "q + z": (early, -z), "rounded late": (late, z), "float z": (late, exact),
}.items():
    e = (x - s * (q.clamp(-128, 127) - back)) / s
    mean = round(e.mean().item(), 2) + 0.0
    print(f"{name:15} {mean:10.2f} {e.abs().max().item():9.2f} {e[0].item() + 0.0:12.2f}")

# %% [markdown]
# 符号错了，全体平移 $2z$。另外两种错得很小，图上看不出来：「舍入太晚」让每一个值偏同样的一点，「浮点的 $z$」让每一个 0 偏同样的一点。同样的偏差加起来，不会抵消。
#
# ### 编码要有整数的类型
#
# 原文档的 `quantize` 返回浮点数，叫它「INT8」。**先猜**：它占几个字节？[量化方案](02_schemes.ipynb)里数过，一个字节也没省。还有第二个害处：它把整数才有的毛病藏了起来。
#
# 真正的编码是 `uint8`。`uint8` 里没有负数，照公式写 $q - z$，会怎样？

# %%
x = torch.tensor([-2.0, -1.0, 0.0, 3.0])
quantizer = UniformQuantizer(QuantizationParams(torch.tensor(1.0), torch.tensor(5), 0, 255))
document = torch.clamp(torch.round(x + 5), 0, 255)
codes, z = quantizer.quantize(x), torch.tensor(5, dtype=torch.uint8)
for name, q in (("document", document), ("quantcore", codes)):
    print(f"{name:9} {str(q.dtype):13} {q.nbytes:3} bytes   q - z: {(q - z).int().tolist()}")
print("dequantize widens first:               ", quantizer.dequantize(codes).int().tolist())

# %% [markdown]
# 字节真的少了，`uint8` 的减法却绕回去了：$3 - 5 = 254$。反量化必须先换成更宽的类型，再减。浮点的「INT8」上测试全都通过，换成真的整数才出错。

# %% [markdown]
# ## 2 四条性质
#
# 先看图。横轴是 $x$，左边是阶梯，右边的绿线是误差除以 $s$。

# %%
explore.staircase(bits=3, symmetric=False)

# %% [markdown]
# **先猜，再拖。** 位宽从 3 调到 6，右图锯齿的高度变不变？范围之外的那两段呢？
#
# <details><summary>想好了再看</summary>
#
# 高度不变，总是 $\pm\tfrac12$，因为纵轴以 $s$ 为单位；变的是 $s$。范围之外，误差没有界，$x$ 走多远错多远。
#
# </details>
#
# 把看到的写成四条性质。记 $Q(x) = \hat x$。
#
# 1. **误差有界。** 没有截断时，$\lvert e \rvert \le s/2$。$\operatorname{rint}$ 移动不超过 $\tfrac12$，乘 $s$ 就是 $s/2$。
# 2. **幂等。** $Q(Q(x)) = Q(x)$。$\hat x/s = q - z$ 已经是整数，舍入不动它；加上 $z$ 得 $q$，本来就在范围里，截断也不动它。
# 3. **单调。** $x \le y$ 则 $Q(x) \le Q(y)$。除以正数、舍入、加常数、截断、乘正数，每一步都单调。
# 4. **0 精确。** $Q(0) = 0$。$\operatorname{rint}(0) + z = z$，$z$ 在范围里，$s\,(z - z) = 0$。
#
# 这些是实数的证明，程序用的是浮点数。**先猜**：哪一条会被浮点的舍入破坏？
#
# <details><summary>想好了再看</summary>
#
# 第 1 条。$x/s$ 和 $s\,(q - z)$ 各舍入一次，误差可以比 $s/2$ 多出 $x$ 的几个浮点单位。
#
# 第 2 条经得起：$\hat x/s$ 的相对误差是 $2^{-23}$ 上下，整数不超过 $2^{16}$，偏差远小于 $\tfrac12$。第 3 条也经得起，因为浮点的除法和乘法舍入之后仍然单调。第 4 条里没有舍入。
#
# </details>
#
# 在随机生成的张量上检验：五种分布，大小从 $10^{-4}$ 到 $10^{4}$，全部位宽，范围取得窄一些，让一部分值被截断。

# %%
def check(x, quantizer):
    x_hat, s = quantizer(x), quantizer.params.scale
    slack = 4 * torch.finfo(x.dtype).eps * x.abs()
    bounded = ((x - x_hat).abs() <= s / 2 + slack)[quantizer.in_range(x)].all()
    idempotent = (quantizer(x_hat) == x_hat).all()
    monotone = (quantizer(x.sort().values).diff() >= 0).all()
    zero_exact = (quantizer(0 * x) == 0).all()
    return torch.stack([bounded, idempotent, monotone, zero_exact]).int()


def generated(seed):
    return samples.distribution(samples.SHAPES[seed % 5], 500, seed) * 10.0 ** (seed % 9 - 4)

# %%
passed, tried = torch.zeros(4, dtype=torch.int32), 0
how = {"method": "percentile", "percentile": 99}
for seed in range(45):
    for scheme in QuantizationScheme:
        for symmetric in (True, False) if scheme.signed else (False,):
            p = QuantizationParams.from_tensor(generated(seed), scheme, symmetric, **how)
            passed, tried = passed + check(generated(seed), UniformQuantizer(p)), tried + 1
print("tried       ", tried)
for name, count in zip(("bounded", "idempotent", "monotone", "zero exact"), passed.tolist()):
    print(f"{name:12} {count}")

# %% [markdown]
# ### 范围的两端
#
# 第 1 条有个前提：没有截断。范围照最大最小值取，还会有值被截断吗？非对称时 $z$ 要舍入，整张网格平移了至多 $s/2$，范围的一端就伸到最外一级的外面。
#
# **先猜。** 那一端的误差最多是几个 $s$？`full_range=True` 呢？
#
# <details><summary>想好了再看</summary>
#
# 伸出去不超过 $s/2$，收回到最外一级，误差也就不超过 $s/2$。所以照最大最小值取范围，**每一个值**都满足 $\lvert e \rvert \le s/2$。
#
# `full_range=True` 的最大正值是 $s \cdot 2^{b-1}$，最大的编码是 $2^{b-1} - 1$，差整整一个 $s$。
#
# </details>

# %%
print("largest |e| / s      predicted   measured")
for name, how, predicted in (
    ("symmetric", {}, 0.5),
    ("asymmetric", {"symmetric": False}, 0.5),
    ("full_range", {"full_range": True}, 1.0),
):
    worst = 0
    for seed in range(45):
        x = generated(seed)
        quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, INT8, **how))
        worst = max(worst, ((x - quantizer(x)).abs().max() / quantizer.params.scale).item())
    print(f"{name:20} {predicted:9.2f} {worst:10.2f}")

# %% [markdown]
# ## 3 梯度
#
# 训练时想让网络适应量化，就要对 $Q$ 求导。再看一次阶梯，这次从 2 位开始，级少，看得清楚。
#
# **先猜。** $Q$ 的导数是多少？拿它做梯度下降，会怎样？

# %%
explore.staircase(bits=2, symmetric=False)

# %% [markdown]
# <details><summary>想好了再看</summary>
#
# 台阶上是平的，导数是 0；台阶的边上跳变，没有导数。梯度处处是 0，参数一步也不动。
#
# </details>
#
# **直通估计器**（straight-through estimator，Bengio et al. 2013；Krishnamoorthi 2018）换一个导数。$Q$ 由两件事合成，舍入和截断。它假装没有舍入，只对截断求导：
#
# $$
# \frac{\partial \hat x}{\partial x} \approx
# \begin{cases}
# 1, & q_{\min} \le \operatorname{rint}(x/s) + z \le q_{\max} \\
# 0, & \text{else}
# \end{cases}
# $$
#
# 右图的橙线就是它。条件换成 $x$ 的区间，就是最外面两级再各往外半格：
#
# $$
# s\,(q_{\min} - z - \tfrac12) \ \le\ x \ \le\ s\,(q_{\max} - z + \tfrac12)
# $$
#
# （恰好在端点上的中间值，看偶数在哪一边。）
#
# **先猜，再拖。** 上图的位宽加大，橙线为 1 的一段变宽还是变窄？勾上「对称」呢？
#
# <details><summary>想好了再看</summary>
#
# 变窄，靠向数据的范围 $[-1, 2]$：两头各多出的半格 $s/2$ 越来越小。勾上「对称」，左边一直伸到 $-2$ 以外，那里没有数据。
#
# </details>
#
# 下一格用这个区间预测梯度为 1 的比例，再和 torch 自带的伪量化比一比：

# %%
x = torch.linspace(-3, 4, 10_000).to(device)
p = QuantizationParams.from_tensor(torch.tensor([-1.0, 2.0], device=device), INT3, symmetric=False)
gradients = []
torch_fake_quantize = torch.fake_quantize_per_tensor_affine
for f in (UniformQuantizer(p), lambda x: torch_fake_quantize(x, p.scale, p.zero_point, -4, 3)):
    leaf = x.clone().requires_grad_()
    f(leaf).sum().backward()
    gradients.append(leaf.grad)
low, high = (p.scale * (q - p.zero_point) for q in (p.qmin - 0.5, p.qmax + 0.5))
predicted = ((high - low) / 7).item()
print(f"share of 1: predicted {predicted:.3f}   measured {gradients[0].mean().item():.3f}")
print("same as torch's:", torch.equal(*gradients))

# %% [markdown]
# ### 截断的值，梯度为什么是 0
#
# 网上常见一种一行的写法：`x + (Q(x) - x).detach()`。前向是 $Q(x)$，反向处处是 1，截断的也通过。
#
# 用一个最小的例子比较。最大的级是 $1.5$，目标是 $3$，够不着。损失是 $(\hat w - 3)^2$，步幅 0.1，从 $w = 1.5$ 出发。
#
# **先猜。** 走 1000 步，两种写法的 $w$ 各在哪里？
#
# <details><summary>想好了再看</summary>
#
# 一行的写法：$\hat w$ 一直是 1.5，梯度一直是 $2(1.5 - 3) = -3$，每步走 $+0.3$，没有尽头，$w_t = 1.5 + 0.3\,t$。损失一点没减。
#
# 带掩码的写法：第一步走到 1.8，超出了 $1.75$，梯度变成 0，停住。
#
# </details>

# %%
masked = UniformQuantizer(QuantizationParams(torch.tensor(0.5), torch.tensor(0), -4, 3))


def unmasked(w):
    return w + (masked(w) - w).detach()


def descend(f, w, goal, steps):
    w = torch.tensor(w, requires_grad=True)
    for _ in range(steps):
        (gradient,) = torch.autograd.grad((f(w) - goal) ** 2, w)
        w.data -= 0.1 * gradient
    return w.item()

# %%
print("steps   without mask: predicted   measured   with mask")
for steps in (1, 10, 100, 1000):
    free, held = descend(unmasked, 1.5, 3.0, steps), descend(masked, 1.5, 3.0, steps)
    print(f"{steps:5} {1.5 + 0.3 * steps:24.1f} {free:10.1f} {held:11.1f}")
print("then the goal moves to 0, for 100 steps:")
print(f"without mask {descend(unmasked, free, 0.0, 100):.1f}", end="   ")
print(f"with mask {descend(masked, held, 0.0, 100):.1f}")

# %% [markdown]
# 掩码是截断真正的导数：在范围之外，$w$ 动一点，$\hat w$ 不动。不加掩码，$w$ 会跑到很远，以后目标变了，也要走很久才回得来。
#
# 掩码也有代价，表的最后一行说了：停住的就永远停住，目标回到 0，它也不动。所以范围要先选好，别让很多值落在外面。
#
# ### 穿过它训练
#
# 做一个小实验。$y = Xw$，六个权重，每个只许用 3 位。权重从 0 开始，用梯度下降去拟合 $y$。为了不靠运气，一次做 50 道随机的题，缩放因子按每题真正的权重定好。
#
# 损失用 $y$ 的功率作单位，所以 $\hat w = 0$ 时损失正好是 1。比较四种做法：
#
# 1. 照真导数训练；
# 2. 用直通估计器训练：最简单的**量化感知训练**（QAT）；
# 3. 已知真正的权重，逐个舍入到最近的级：最简单的**训练后量化**（PTQ）；
# 4. 把 $8^6 = 262144$ 组编码全试一遍，这是最好的可能。
#
# **先猜。** 每个权重都舍入到最近的级，损失是不是就最小？
#
# <details><summary>想好了再看</summary>
#
# 不是。$X$ 的各列相关时，一个权重往上舍的误差，可以由另一个往下舍来抵消。逐个取最近的，看不到这一点。
#
# </details>

# %%
generator = torch.Generator().manual_seed(0)
normal = {"generator": generator, "dtype": torch.float64}
X = (torch.randn(50, 64, 6, **normal) @ torch.randn(50, 6, 6, **normal)).to(device)
target = torch.randn(50, 6, **normal).to(device)
y = X @ target[..., None]
weights = UniformQuantizer(QuantizationParams.from_tensor(target, INT3, axis=0))


def loss_of(w_hat):
    return (X @ w_hat[..., None] - y).square().mean((1, 2)) / y.square().mean((1, 2))

# %%
def train(quantize, shrink=False):
    w, history = torch.zeros_like(target).requires_grad_(), []
    for step in range(500):
        history.append(w.detach().clone())
        (gradient,) = torch.autograd.grad(loss_of(quantize(w)).sum(), w)
        w.data -= 0.1 * (1 - step / 500 * shrink) * gradient
    return torch.stack(history)


scales = weights.params.scale[:, None]
runs = {"true derivative": train(lambda w: scales * torch.round(w / scales).clamp(-4, 3))}
runs["straight-through"] = train(weights)
losses = {n: torch.stack([loss_of(weights(w)) for w in run]) for n, run in runs.items()}

# %%
grid = torch.cartesian_prod(*[torch.arange(-4.0, 4.0, dtype=torch.float64)] * 6).to(device)
best = []
for i in range(len(X)):
    error = (grid * scales[i] - target[i]) @ torch.linalg.qr(X[i]).R.T  # |X d| = |R d|
    best.append(error.square().sum(1).min() / y[i].square().sum())
nearest, best = loss_of(weights(target)), torch.stack(best)

# %%
through = losses["straight-through"]
shrunk = loss_of(weights(train(weights, shrink=True)[-1]))
rows = {"true derivative": losses["true derivative"][-1]}
rows |= {"straight-through, last step": through[-1], "the same, shrinking step": shrunk}
rows |= {"rounded to nearest": nearest}
rows |= {"straight-through, best step": through.amin(0), "best possible": best}
print("of 50 problems               median loss   better than rounded   worse")
for name, values in rows.items():
    better, worse = (values < 0.999 * nearest).sum(), (values > 1.001 * nearest).sum()
    print(f"{name:28} {values.median():11.3f} {better:21} {worse:7}")

# %% [markdown]
# 真导数一步也没有动，损失正好是 1，和预测的一样。
#
# 直通估计器从 0 开始，不知道真正的权重，多数题里走到过比逐个舍入更好的地方（`best step`），离最好的可能还差一些。
#
# 可是看它的**最后一步**（`last step`）：多数题里比逐个舍入还差。为什么？画出来看。右图是跳得最多的那个权重，最后 40 步。

# %%
last = runs["straight-through"][460:] / scales  # (40 steps, 50 problems, 6 weights)
flips = (torch.round(last).diff(dim=0) != 0).sum(0)
i, j = divmod(flips.argmax().item(), 6)
path, code = last[:, i, j], torch.round(last[:, i, j])
sheet, t = Sheet(2), torch.arange(500)
sheet.frame(0, "median loss of 50 problems", "step", "loss", (0, 500), (5e-3, 9), yscale="log")
for (name, values), color in zip(losses.items(), (GRAY, BLUE)):
    sheet.line(0, name, t, values.median(1).values, color=color)
for name, level, color in (("rounded to nearest", nearest, RED), ("best possible", best, GREEN)):
    sheet.line(0, name, [0, 500], [level.median().item()] * 2, color=color, linestyle="--")
sheet.legend(0, ncols=2)

# %%
low, high = code.min().item(), code.max().item()
sheet.frame(1, "one weight", "step", "in units of s", (460, 500), (low - 0.5, high + 1))
for name, values, color in (("code", code, RED), ("w / s", path, BLUE)):
    sheet.line(1, name, t[460:], values, color=color, drawstyle="steps-post", linewidth=1.2)
threshold = (low + high) / 2
sheet.line(1, "threshold", [460, 500], [threshold] * 2, color=GRAY, linestyle="--")
sheet.legend(1, ncols=3)
sheet.show(
    f"median loss at steps 0, 50, 500: {through[0].median():.2f}, {through[50].median():.2f}, "
    f"{through[-1].median():.2f}; a weight between {path.min():.1f} and {path.max():.1f} steps, "
    f"its code changes {flips.max().item()} times between {low:.0f} and {high:.0f} in 40 steps"
)

# %% [markdown]
# 权重停在两级之间的分界线上，编码来回跳。真正想要的值在两级中间，在这一级，梯度说「往上」；到了上一级，梯度说「往下」。估计器的梯度到最优处也不变成 0，固定的步幅就永远停不下来。
#
# 所以实际训练时，步幅要逐渐减小（表里的 `shrinking step`），或者保留验证集上最好的一步；表里两种办法都比不管它好。直通估计器是一个有用的近似，不是真正的导数，也不保证收敛到最好的编码。

# %% [markdown]
# ## 小结
#
# - 次序：除，舍入（中间取偶数），加 $z$，截断。先加 $z$ 再舍入，奇数的 $z$ 弄错每一个中间值；bfloat16 里三个错一个。
# - 截断是定义的一部分。没有它，int8 会绕回去，正数变负数。
# - 编码是整数类型；减零点之前先换成更宽的类型。
# - 没有截断时 $\lvert e \rvert \le s/2$；幂等；单调；0 精确。
# - 直通估计器去掉舍入，保留截断：范围之内梯度是 1，之外是 0。它会在两级之间来回跳，要留下最好的一步。
# - 整数乘法有四项，零点不会抵消。只对和换一次缩放因子，$M = m \cdot 2^{-31-n}$。
# - 实现之间会差一个编码：舍入的规则、零点的次序、乘 $1/s$、二次舍入。
# - 伪量化预测精度，不预测速度。
#
# 下一章：[可视化分析](05_visualization.ipynb)，学会从图上看出量化哪里出了毛病。
