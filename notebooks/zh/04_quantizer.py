# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 均匀量化器：三步，四条性质，一个梯度
#
# 把 $2.5$ 舍入成整数，Python 的 `round` 得到 2，C 语言的 `round` 得到 3。把 300 存进 8 位无符号整数，有的程序得到 255，有的得到 44。缩放因子和零点都相同，公式看上去也相同，得到的编码却不同。哪一种才对？写错一步，后果有多严重？
#
# 有了参数，量化一个值只需三步：**舍入**（rounding），加上**零点**（zero point），**饱和截断**（clipping，也叫限幅、饱和）。本章先把三步的次序严格规定下来，证明由此得到的量化器有四条性质；再为训练定义它的梯度，并穿过它训练几个权重。各框架的实现差异和只用整数的运算，放在[下一章](04b_integer.ipynb)。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请全班口算 2.5 舍入成整数。两种答案都会有人喊，先不评判。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **学完这一章，你能：**
#
# - 写出量化、反量化和**伪量化**（fake quantization），说出每一步的次序为什么要紧；
# - 分清三种“截断”和四种舍入规则；
# - 给量化误差一个上界，并证明它；
# - 解释**直通估计器**（straight-through estimator，STE）：哪些梯度通过，哪些不通过，什么时候不可靠；
# - 推导缩放因子的梯度，并为一个任务选择训练后量化或量化感知训练。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 部分 | 时间 |
# |:--|:--|
# | 1 三步和次序 | 30 分钟 |
# | 2 四条性质 | 15 分钟 |
# | 3 梯度 | 20 分钟 |
# | 4 穿过量化器训练 | 20 分钟 |
# | 练习 | 29 分钟 |
# | 小结 | 5 分钟 |
# | ★ 选读 | 10 分钟 |

# %% slideshow={"slide_type": "skip"}
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import exercises, explore, samples, schematics
from quantcore.quantizer import fit
from quantcore.sheet import BLUE, GRAY, GREEN, RED, Sheet

# %% slideshow={"slide_type": "skip"}
explore.set_language("zh")

# %% slideshow={"slide_type": "skip"}
def integer_quantizer(scale, zero, qmin, qmax):
    return UniformQuantizer(QuantizationParams(torch.tensor(scale), torch.tensor(zero), qmin, qmax))

# %% [markdown] slideshow={"slide_type": "skip"}
# 两个函数返回 `quantcore` 的量化器：`integer_quantizer` 直接给定 $s$、$z$ 和编码的范围；上一章用过的 `fit(x, b)` 从数据 $x$ 求出它们。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 三步和次序
#
# [上一章](03_params.ipynb)得到的[**缩放因子**](glossary.ipynb#量化参数)（scale）$s$ 和[**零点**](glossary.ipynb#量化参数) $z$ 满足一个关系：编码 $q$ 代表实数 $s\,(q - z)$。反过来，给了实数 $x$，最合适的编码是多少？令 $x = s\,(q - z)$，解得 $q = x/s + z$。编码必须是整数，所以 $x/s$ 要舍入；编码必须在 $[q_{\min}, q_{\max}]$ 里，所以最后还要做饱和截断：
#
# $$
# q = \operatorname{clamp}\!\left(\operatorname{rint}\!\left(\frac{x}{s}\right) + z,\ q_{\min},\ q_{\max}\right), \qquad
# \hat x = s\,(q - z)
# $$
#
# 〔[Q1](06_summary.ipynb#公式总表)，[Q2](06_summary.ipynb#公式总表)〕

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 把三步写成三行，编号。后面每一个错误都能说成“哪一步放错了”。

# %% [markdown] slideshow={"slide_type": "notes"}
# $\operatorname{rint}$ 舍入到最近的整数，恰为**半整数**（$k + \tfrac12$，$k$ 是整数）时取相邻的偶数；$\operatorname{clamp}$ 把小于 $q_{\min}$ 的值换成 $q_{\min}$，大于 $q_{\max}$ 的值换成 $q_{\max}$。这也是 ONNX 算子规范里 QuantizeLinear 和 DequantizeLinear 的定义（[ONNX，2024](references.ipynb)）。

# %% [markdown] slideshow={"slide_type": "skip"}
# 公式有三步，代码就写三行：

# %% slideshow={"slide_type": "skip"}
def quantize(x, s, z, qmin, qmax):
    r = torch.round(x / s)  # torch.round is rint: halves go to the even neighbor
    q = r + z  # only now the zero point
    return q.clamp(qmin, qmax)  # and the clamp comes last


def dequantize(q, s, z):
    return s * (q - z)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 取 $s = 1$，$z = 1$，编码范围 $[0, 255]$。先手算 $x = 0.5,\ 2.5,\ -1.5,\ 254.5,\ 10^9$ 的编码。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 纸笔 2 分钟。看谁把零点加了两次。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $\operatorname{rint}(0.5) + 1 = 0 + 1 = 1$；$\operatorname{rint}(2.5) + 1 = 2 + 1 = 3$；$\operatorname{rint}(-1.5) + 1 = -2 + 1 = -1$，截断后是 0；$\operatorname{rint}(254.5) + 1 = 254 + 1 = 255$；$10^9$ 截断后是 255。
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
# 三行代码和 `quantcore` 一致。`core(normal)` 先量化、再反量化，得到的仍是浮点数，只是都落在[**网格**](glossary.ipynb#量化)（grid）上，这就是**伪量化**。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下面故意把每一步做错。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 先加零点，还是先舍入
#
# 许多教程里的代码算的是 $\operatorname{rint}(x/s + z)$：先加零点，后舍入。理由是：$z$ 是整数，先加后加都一样。
#
# **【预测】** $x = 0.5$，$s = 1$，$z = 1$，两种次序各得到多少？$z = 2$ 呢？请填入 $z = 1$、先加零点的编码。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 表决：有差别、没差别。请答“没有”的人举一个 x。

# %%
exercises.predict("zero-point-first")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $z = 1$：先舍入得 $\operatorname{rint}(0.5) + 1 = 1$，先加得 $\operatorname{rint}(1.5) = 2$。$z = 2$：两种次序都得 2。
#
# $x/s$ 不是半整数时，加上一个整数不影响舍入的方向。$x/s$ 恰为半整数时，“取偶数”是按舍入时的那个数来判断的：加上奇数的 $z$，奇偶就颠倒了。
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
halves = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
print("x / s               ", halves.tolist())
for z in (1, 2):
    print(f"z = {z}  rint(x/s) + z ", (torch.round(halves) + z).int().tolist())
    print("       rint(x/s + z) ", torch.round(halves + z).int().tolist())

# %% [markdown] slideshow={"slide_type": "notes"}
# $z = 1$ 时六个半整数的编码全都差 1，$z = 2$ 时一个也不差。

# %% [markdown] slideshow={"slide_type": "skip"}
# 半整数在 float32 里确实很少，在低精度浮点数里却很多：$x/s$ 在 $[0, 128)$ 里均匀分布、用 bfloat16 表示时，三个值里就有一个是半整数。所以 `quantcore` 遇到 bfloat16 和 float16，先转成 float32 再算。
#
# ### 半整数有多少，二次舍入 ★
#
# 这一小节可以略过，结果有两条：奇数的 $z$ 先加，均匀分布的 bfloat16 数据里有三分之一的编码出错；离半整数很近的值也会因为舍入两次而出错。
#
# [bfloat16](02_schemes.ipynb) 的二进制有效位有 $w = 8$ 个，float32 有 $w = 24$ 个（连同隐含的最高位）。设 $x/s$ 在 $[0, 128)$ 里均匀分布，把这个区间分成 $[64, 128)$、$[32, 64)$、$[16, 32)$……：
#
# - $x/s$ 落在 $[2^{7-k}, 2^{8-k})$ 的概率是 $2^{-k}$，$k = 1, 2, \dots$；
# - 这一段里相邻的浮点数相距 $2^{8-k-w}$，所以长为 1 的一段里有 $2^{k+w-8}$ 个浮点数，其中恰有一个是半整数，占 $2^{8-k-w}$。
#
# 奇数的 $z$ 把每个半整数都弄错，所以出错的比例是
#
# $$
# \sum_{k \ge 1} 2^{-k} \cdot 2^{8-k-w} = 2^{8-w} \sum_{k \ge 1} 4^{-k} = \frac{2^{8-w}}{3}
# $$
#
# **【预测】** 用公式算一算：均匀分布时，float32 有多少编码出错？仍用 bfloat16，数据换成正态分布或拉普拉斯分布（最大值同样缩放到 127），出错的会更多、更少，还是一样多？请选后一问的答案。

# %% slideshow={"slide_type": "skip"}
exercises.predict("bfloat16-halves")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# 均匀分布时 bfloat16 约三分之一，float32 约二十万分之一。正态分布和拉普拉斯分布的值大多远小于最大值，那里的浮点数更密，半整数所占的比例更小，所以出错的更少。
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
# “三个错一个”只对均匀分布成立，正态分布约八个错一个，拉普拉斯分布约十八个错一个。
#
# 还有另一种错误：$x/s$ 并不是半整数，只是与半整数非常接近。浮点加法先把和 $x/s + z$ 舍入到半整数，$\operatorname{rint}$ 再舍入一次。这叫**二次舍入**（double rounding），也就是国家标准 GB/T 8170 所不允许的“连续修约”。
#
# **【预测】** 取 $k + \tfrac12$ 左边紧挨着的那个 float32 数，$z = 128$ 是偶数，先加零点会错多少？bfloat16 呢：$z$ 越大，二次舍入造成的错误是不是越多？
#
# <details><summary>参考答案</summary>
#
# float32：错一半。加上 128，那一点点差别就舍去了，和成了半整数 $k + 128\tfrac12$，再取偶数：$k$ 是偶数时往下，对了；$k$ 是奇数时往上，错了。
#
# bfloat16：不是。$z$ 从 1 增加到 64，错误越来越多；再大，反而减少。$z = 128$ 时，和落在 $[128, 256)$ 里，那里相邻的 bfloat16 数恰好相距 1，加法一次就舍入到整数，而且也取偶数，不会再有第二次舍入。
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
# ### 四舍五入，还是四舍六入五成双

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 只讲前两列。谁在用哪一种，不必背。

# %% [markdown] slideshow={"slide_type": "notes"}
# 中小学教的是**四舍五入**（round half up），$\lfloor u + \tfrac12 \rfloor$：半整数一律往上。大学物理实验和国家标准 GB/T 8170 用的是**四舍六入五成双**（round half to even，也叫奇进偶舍）：半整数取偶数，就是我们的 $\operatorname{rint}$。C 语言的 `round` 又是一种，半整数**向远离零的方向**舍入（round half away from zero），记作 $\operatorname{round}_{\text{away}}(u) = \operatorname{sign}(u)\,\lfloor\, \lvert u\rvert + \tfrac12 \rfloor$。再加上直接去掉小数部分的**截尾**（truncation，向零取整），常见的规则有四种：

# %% [markdown]
# | 规则 | 半整数往哪边 | 谁在用 |
# |:--|:--|:--|
# | 四舍六入五成双，$\operatorname{rint}$ | 相邻的偶数 | GB/T 8170，IEEE 754 的默认规则，ONNX；`torch.round`，`numpy.rint`，Python 的 `round`，C 的 `rint` |
# | 四舍五入，$\lfloor u + \tfrac12\rfloor$ | 往上 | 手写的 `floor(x + 0.5)`，JavaScript 的 `Math.round` |
# | $\operatorname{round}_{\text{away}}$ | 远离零 | C 的 `round`，TensorFlow Lite 的参考实现 |
# | 截尾 | 半整数也不例外，向零 | C 的 `(int)x`，Python 的 `int(x)` |

# %% [markdown] slideshow={"slide_type": "notes"}
# 对正数，第二种和第三种相同；对负的半整数，两种相差 1。

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
# 舍入规则不同，要紧吗？设半整数占全部数据的比例为 $t$。四舍五入使每个半整数多出 $\tfrac12$，平均就多出 $t/2$。真实的数据里也有许多半整数：两个整数之和是奇数时，平均值就是半整数，图像缩小一半，每个像素都要平均一次。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 把一张 8 位的照片横向缩小一半，连续五次，每次都四舍五入成整数。照片会变亮、变暗，还是不变？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 照片会变亮，还是变暗？先表决，再看数。

# %%
exercises.predict("photo-half-up")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 变亮。相邻两个像素之和约有一半是奇数，每次四舍五入平均多出 $\tfrac14$ 个灰度级，五次就多出一个多灰度级。取偶数时，往上和往下大致各占一半，互相抵消。
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
# 每次的偏差虽小，却总朝一个方向，会累加。没有这种偏差，是“取偶数”的一个理由；另一个理由是处理器的浮点指令默认就这样舍入。像素没有负数，换成 $\operatorname{round}_{\text{away}}$，结果和四舍五入一样；数据正负对称时，$\operatorname{round}_{\text{away}}$ 的平均偏差是 0，但绝对值偏大。
#
# 还有一种办法是**随机舍入**（stochastic rounding）：按小数部分的大小，随机决定往上还是往下，平均没有偏差，代价是噪声更大。它就是[信息论基础](01_information_theory.ipynb)里的非减性抖动。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 舍入，不是截尾
#
# `int(x / s)` 直接去掉小数部分，也就是截尾。误差 $e = x - \hat x$ 的绝对值落在 $[0, s)$ 里，不再是 $[0, s/2]$。误差均匀分布时，量化噪声功率是 $\sigma_q^2 = \frac1s \int_0^s e^2\,\mathrm{d}e = \frac{s^2}{3}$。
#
# **【预测】** 它是 $s^2/12$ 的几倍？相当于少了几位（请填入）？数据换成正态分布，位宽从 8 减到 2，损失还一样大吗？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 少写一个 round，损失几位？多数人猜不到一位。

# %%
exercises.predict("truncation-bits")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 4 倍，即 6.02 dB，相当于少了整整 1 位。这个结论要求误差在 $[0, s)$ 里均匀，也就是步长足够小。2 位时步长比标准差还大，“均匀”不成立，损失就不是 6 dB 了。
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
# 均匀分布时，少写一个 `round`，8 位量化器就成了 7 位的。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 饱和截断是定义的一部分
#
# 有的教程把公式写成 $Q(x) = \operatorname{rint}(x/s + z)$，没有 $\operatorname{clamp}$。
#
# **【预测】** 照这个公式，编码算出 200，存进 int8，读出来是多少？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 答 200 的和答 127 的各请一位说理由，再揭晓。

# %%
exercises.predict("wrapped-200")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $-56$。int8 只留低 8 位，$200 - 256 = -56$：一个偏大的正数成了负数。
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
# 有饱和截断，超出多少就错多少；没有的话，编码只要超出 1，就错整整 256。

# %% [markdown] slideshow={"slide_type": "subslide"}
# > **三种“截断”，不是一回事。** 学过 C 语言的读者请留意：C 语言教材把宽整数转换成窄整数、丢掉高位，也叫“截断”。那种截断会绕回，恰好与本课的截断相反。以后单说“截断”，都指饱和截断。
#
# | 名称 | 英文 | 做什么 | 200 存进 int8 | 2.7 变成整数 |
# |:--|:--|:--|:--|:--|
# | **饱和截断**，限幅（本课的“截断”） | clipping，saturation | 超出范围的值停在端点上 | 127 | |
# | 整型转换的截断（C 语言） | truncation | 丢掉高位，会绕回（wrap-around） | $-56$ | |
# | 截尾，向零取整 | truncation | 丢掉小数部分 | | 2 |

# %% [markdown] slideshow={"slide_type": "notes"}
# 截断放在哪一步？取编码范围 $[0, 255]$，$z = 128$。下表第 1 行先把 $x/s$ 截断到 $[0, 255]$，再舍入、加 $z$。这是错的，因为 $[0, 255]$ 是编码 $q$ 的范围，不是 $x/s$ 的范围。第 2 行先把 $x/s$ 截断到 $[0 - z,\ 255 - z]$。这是对的，因为范围的两端跟着移动了 $z$，而且两端都是整数，截断和舍入可以交换。

# %% slideshow={"slide_type": "skip"}
u, z = torch.tensor([-100.0, -1.0, 50.0, 126.7, 200.0]), 128
print("x / s        ", [round(v, 1) for v in u.tolist()])
print("1 clamp first", (torch.round(u.clamp(0, 255)) + z).int().tolist())
print("2 ends moved ", (torch.round(u.clamp(0 - z, 255 - z)) + z).int().tolist())
print("definition   ", quantize(u, 1.0, z, 0, 255).int().tolist())

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 零点的三种错
#
# 上一章算出实数 $z^* = q_{\min} - x_{\min}/s$，再舍入成整数 $z$。零点是实数 0 的编码，所以反量化要**减**它。常见的错误有三种：
#
# - 符号相反：$\hat x = s\,(q + z)$；
# - 舍入太晚：编码时用 $\operatorname{rint}(x/s + z^*)$，反量化时减去舍入过的 $z$；
# - 始终用浮点数：编码和反量化都用没有舍入的 $z^*$。
#
# **【思考】** 取 $z^* = -64.25$。后两种错误看上去都很小，它们各影响哪些值？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 三种错各问一句：平均误差是多少，最大误差是多少？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# “舍入太晚”移动的是分界线，不是重建值：重建值仍是 $s$ 的整数倍，0 仍然精确。$\operatorname{rint}(x/s + z^*)$ 的分界线偏了 $\lvert z - z^*\rvert = \tfrac14$ 个步长，所以四分之一的值换成了相邻的编码，其余的值不变。平均误差是 $\tfrac14 s$，最大误差从 $\tfrac12 s$ 变成 $\tfrac34 s$。
#
# “浮点数的零点”使误差仍不超过半个步长，可是 0 没有自己的编码：0 的重建值是 $s\,(\operatorname{rint}(z^*) - z^*) = \tfrac14 s$。填充（padding）、ReLU、剪枝产生的每一个 0 都带上同一个误差。
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
# 符号相反时，所有值都平移 $2z$ 个步长，一看便知。另外两种很难看出来，可是前一种的平均误差、后一种在 0 处的误差，相加时都不抵消。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 编码要有整数的类型
#
# 用浮点数存放的“INT8”不省字节，[量化方案](02_schemes.ipynb)里数过。它还会藏起整数类型才有的错误。
#
# **【预测】** 取 $s = 1$，$z = 5$，编码 3 存成 `uint8`。照公式写 $q - z$，得到多少？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先问结果的类型是什么，再问它的值。

# %%
exercises.predict("unsigned-difference")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 254。`uint8` 里没有负数，$3 - 5 = -2$ 绕回成 $256 - 2 = 254$。反量化必须先把编码换成更宽的类型，再减零点。
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
# 在用浮点数冒充的“INT8”上，测试全部通过；换成真正的整数类型，错误才暴露出来。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 四条性质
#
# 先看图。横轴都是 $x$：左图是量化器的阶梯，右图的绿线是误差 $e = x - \hat x$ 除以 $s$，橙线留到下一节再讲。
#
# **【操作】** 拖动之前先想：位宽从 3 增加到 6，右图锯齿的高度变不变？范围之外的两段呢？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 拖动之前问：位宽加一，锯齿变成几个，高度变成多少？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 锯齿的高度不变，总是 $\pm\tfrac12$，因为纵轴以 $s$ 为单位，变小的是 $s$ 本身。范围之外误差没有界，$x$ 离最外面一级多远，误差就有多大。
#
# </details>

# %% slideshow={"slide_type": "subslide"}
explore.staircase(bits=3, symmetric=False)

# %% [markdown] slideshow={"slide_type": "subslide"}
# 把看到的写成四条性质。记 $Q(x) = \hat x$，即量化再反量化。
#
# 1. **误差有界。** 如果 $x$ 没有被截断，那么
#
# $$
# \lvert x - \hat x\rvert \le \frac{s}{2}
# $$
#
# 〔[Q3](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 因为 $\operatorname{rint}$ 移动 $x/s$ 不超过 $\tfrac12$，再乘 $s$ 就是 $s/2$。

# %% [markdown]
# 2. **幂等。** 对任何 $x$，$Q(Q(x)) = Q(x)$。因为 $\hat x/s = q - z$ 已经是整数，舍入不改变它；加上 $z$ 得到 $q$，本来就在范围里，截断也不改变它。
# 3. **单调。** 如果 $x \le y$，那么 $Q(x) \le Q(y)$。因为除以正数、舍入、加常数、截断、乘以正数，每一步都单调。
# 4. **0 精确。** $Q(0) = 0$。因为 $\operatorname{rint}(0) + z = z$，零点 $z$ 在编码的范围里，而 $s\,(z - z) = 0$。
#
# 〔第 2 到第 4 条：[Q4](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# **【思考】** 这些证明讲的是实数，程序用的却是浮点数。哪一条会被浮点运算自己的舍入破坏？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 第 1 条。$x/s$ 和 $s\,(q - z)$ 各要舍入一次，误差可以比 $s/2$ 多出 $x$ 末位的几个单位，所以下面的检验留了一点余量。
#
# 第 2 条不受影响：$\hat x/s$ 的相对误差只有 $2^{-23}$ 上下，而 $q - z$ 的绝对值不超过 $2^{16}$，偏差远小于 $\tfrac12$，舍入之后仍是原来的整数。第 3 条也不受影响，因为浮点的除法和乘法舍入之后仍然单调。第 4 条的计算里没有舍入误差。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# 在随机生成的张量上检验四条性质：五种分布，数值大小从 $10^{-4}$ 到 $10^{4}$，`quantcore` 的全部方案，范围有意取得窄一些，让一部分值被截断。

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
# ### 范围的两端
#
# 第 1 条要求没有截断。如果范围取数据的最小值和最大值，还会有值被截断吗？非对称时 $z$ 要舍入，整个网格平移了至多 $s/2$，范围的一端就可能超出最外面的重建值。
#
# **【预测】** 对称、非对称、`full_range=True` 三种情形，全体数据的最大误差各是几个 $s$？请填入最后一种。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生在端点附近取一个数代进去。

# %%
exercises.predict("full-range-error")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 对称和非对称都是 $\tfrac12$。非对称时超出的部分不大于 $s/2$，截断回最外面的重建值，误差也就不大于 $s/2$。所以这两种情形下，**每一个值**都满足 $\lvert e \rvert \le s/2$。
#
# `full_range=True` 时 $s = \max\lvert x\rvert / 2^{b-1}$，最大的正值若是 $s \cdot 2^{b-1}$，最大的编码却只有 $2^{b-1} - 1$，误差是整整一个 $s$。
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
# ## 3 梯度
#
# 训练时要让网络适应量化，就要对 $Q$ 求导。
#
# **【预测】** 看上面的阶梯图：$Q$ 的导数是多少？用这个导数做梯度下降，参数会怎样变化？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 问：阶梯的导数是多少？听到“0”以后追问：那怎样训练？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 台阶上是平的，导数是 0；在台阶的边缘 $Q$ 跳变，没有导数。梯度几乎处处是 0，参数一步也不动。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 自动求导和 detach
#
# PyTorch 分两步求导：**前向**（forward）算出结果，同时记录每一步；**反向**（backward）沿着记录倒推。只需要知道三个操作：
#
# | 写法 | 作用 |
# |:--|:--|
# | `x = torch.tensor(2.6, requires_grad=True)` | 从此记录用 `x` 做的每一步运算 |
# | `y.backward()` | 反向：沿着记录，用链式法则求 $\mathrm{d}y/\mathrm{d}x$，存入 `x.grad` |
# | `v.detach()` | 取出 `v` 的数值，切断记录；求导时当作常数 |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# detach 的含义请用一句话说：前向照用，反向当常数。

# %% [markdown] slideshow={"slide_type": "notes"}
# 例如 $y = x^2$ 在 $x = 2.6$ 处，`x.grad` 是 $2x = 5.2$；写成 `x * x.detach()`，值不变，但第二个因子成了常数，`x.grad` 只有 2.6。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 设 $y$ 写成 `x + (torch.round(x) - x).detach()`。$x = 2.6$ 时，$y$ 的值是多少？`x.grad` 是多少？请填入 `x.grad`。

# %%
exercises.predict("slope-by-detach")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 值是 $2.6 + (3 - 2.6) = 3$，就是 $\operatorname{rint}(x)$。求导时括号里是常数，导数为 0，前面的 $x$ 导数为 1，所以 `x.grad` 是 1。前向用的是阶梯，反向用的却是直线 $y = x$。
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
# ### 直通估计器
#
# 前向照常量化，反向换一个不处处为 0 的导数，这种做法叫[**直通估计器**](glossary.ipynb#量化器与整数运算)（STE）。换成什么导数，各家并不相同：
#
# | 来源 | 反向怎样看待 $Q$ | 导数为 1 的区间 |
# |:--|:--|:--|
# | [Bengio 等，2013](references.ipynb) | 当作恒等函数：`x + (Q(x) - x).detach()` | 全体实数 |
# | [Krishnamoorthi，2018](references.ipynb)；TensorFlow | 没有舍入，只有截断 | $s\,(q_{\min} - z) \le x \le s\,(q_{\max} - z)$ |
# | PyTorch；`quantcore` | $\operatorname{rint}$ 的导数当作 1；截断的导数照旧，在**舍入之后**的编码上取 | 上一行的两端各宽半个步长 |

# %% [markdown]
# 区间之外导数为 0。哪些值的梯度通过、哪些不通过，由一个 0 和 1 组成的**掩码**（mask）表示。本课用第三种：
#
# $$
# \frac{\partial \hat x}{\partial x} :=
# \begin{cases}
# 1, & q_{\min} \le \operatorname{rint}(x/s) + z \le q_{\max} \\
# 0, & \text{else}
# \end{cases}
# $$
#
# 〔[Q5](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 记号 $:=$ 表示这是约定，不是真正的导数。写成 $x$ 的区间，就是 $s\,(q_{\min} - z - \tfrac12) \le x \le s\,(q_{\max} - z + \tfrac12)$，恰在端点上的半整数看偶数在哪一边。画成图，前向经过阶梯，反向乘以掩码：

# %% tags=["fold"] slideshow={"slide_type": "subslide"}
schematics.fake_quantization()

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 两条路各走一遍，手指着讲。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下图从 2 位开始，量化级少，看得清楚；右图的橙线就是 Q5。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【操作】** 拖动之前先想：位宽加大，橙线为 1 的一段变宽还是变窄？再勾上“对称”呢？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 拖动之前问：橙线为 1 的一段变宽还是变窄？多数人答变窄，却说不出原因：追问多出来的半步到哪里去了。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 变窄，两端靠近数据的范围 $[-1, 2]$，因为多出的半个步长越来越小。勾上“对称”，左端一直延伸到 $-2$ 以外，那里并没有数据。
#
# </details>

# %%
explore.staircase(bits=2, symmetric=False)

# %% [markdown] slideshow={"slide_type": "skip"}
# 再数一数，检验三种掩码。取 3 位、数据范围 $[-1, 2]$，$x$ 在 $[-3, 4]$ 里均匀地取，这个区间长 7。8 个重建值之间有 7 个步长，所以三种导数为 1 的比例应该是 1、$7s/7$ 和 $8s/7$，分母是区间的长度：

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
# ### 被截断的值，梯度为什么是 0
#
# 来源表里第一种写法只要一行代码，也很常见。它没有掩码，这有什么害处？看一个最小的例子：$s = 0.5$，$z = 0$，编码从 $-4$ 到 3，最大的重建值是 1.5，目标是 3，够不着。损失是 $(\hat w - 3)^2$，学习率 0.1，从 $w = 1.5$ 出发。
#
# **【计算】** 走 1000 步，没有掩码和有掩码的 $w$ 各在哪里？请填入有掩码的 $w$。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先估计没有掩码时 1000 步后 w 在哪里。

# %%
exercises.predict("masked-weight")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 没有掩码：$\hat w$ 一直是 1.5，梯度一直是 $2\,(1.5 - 3) = -3$，每步增加 0.3，永不停止，$w_t = 1.5 + 0.3\,t$，1000 步以后是 301.5。损失一点也没有减小。
#
# 有掩码：第一步走到 1.8，$\operatorname{rint}(1.8/0.5) = 4$ 超出了 $q_{\max} = 3$，梯度变成 0，$w$ 停在那里。
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
# 掩码是截断本来的导数：在范围之外 $w$ 动一点，$\hat w$ 不动。没有掩码，$w$ 会跑到很远的地方，以后目标变了，要走很久才能回来。
#
# 掩码也有代价。范围固定、又没有别的力量时，权重一旦停住，就永远停住，如倒数第二行所示。补救的办法有三种：权重衰减（最后一行：每步把 $w$ 再缩小 1%，它就回到了范围里）；训练中每隔几步重新观察数据、更新范围；把 $s$ 也当作参数来学习，见下一节。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 穿过量化器训练
#
# 做一个小实验：$y = Xw$，四个权重，每个只许用 3 位。输入的各列是相关的。随机生成 50 个问题同时求解，以减小偶然性。每个问题有三批数据：一批训练，一批验证（选择停在哪一步），一批只用来报告结果。损失以 $y$ 的功率为单位，所以 $\hat w = 0$ 时损失正好是 1。
#
# 如果已经知道真正的权重，逐个舍入到最近的重建值，损失是不是就最小？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 这是全章的难点，慢一点。两个权重写在黑板上，四组编码逐组代入。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 步长 $s = 1$，两个权重都是 0.4，乘的是同一个输入：$y = 0.4\,x + 0.4\,x$。逐个舍入，$\hat y$ 是多少？能不能更好？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 逐个舍入得 $(0, 0)$，$\hat y = 0$，误差是 $0.8\,x$。如果一个往下、一个往上，$(0, 1)$，$\hat y = x$，误差只有 $-0.2\,x$。输入相关时，一个权重舍入的误差可以由另一个来抵消，逐个取最近的看不到这一点。
#
# AdaRound（[Nagel 等，2020](references.ipynb)）和 GPTQ（[Frantar 等，2023](references.ipynb)）正是这个思路：选择每个权重的编码，使一层的输出误差尽量小。
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
# 比较三类做法：
#
# - 训练：照真导数，或者用直通估计器；从 0 开始，或者从真正的权重开始；取最后一步（学习率固定或逐渐减小），或者取验证数据上最好的一步。用直通估计器训练，就是最小的**量化感知训练**（quantization-aware training，QAT）；
# - 不训练：把真正的权重逐个舍入，这是最小的**训练后量化**（post-training quantization，PTQ）；
# - 全部试一遍：$8^4 = 4096$ 组编码里，报告数据上损失最小的一组。这是下界。

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
# 从表里看出：
#
# - 照真导数训练，一步也没有动，损失正好是 1。
# - 从 0 开始的直通估计器，事先只知道真正的权重的范围（它定了 $s$），也能走到逐个舍入附近：选步以后，比逐个舍入好的和差的一样多。
# - 它的**最后一步**却大多比逐个舍入差；学习率逐渐减小，也只挽回一部分。
# - 从真正的权重开始，再选步，几乎不会比逐个舍入差，有时更好，但离下界还有距离。所以实际的量化感知训练从训练好的网络开始。

# %% [markdown] slideshow={"slide_type": "skip"}
# 选步和报告用的是两批数据。在报告用的数据上选步，结果会偏乐观。
#
# 最后一步为什么差？画出来看。右图是其中一个权重的最后 40 步。

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
# 指着最后几十步问：它为什么停不下来？

# %% [markdown] slideshow={"slide_type": "notes"}
# 这个权重在两级之间的分界线上来回越过，编码跟着跳变，这叫**振荡**（oscillation）。多数权重到最后还在跳变。想要的值在两级之间：在下面一级，梯度要它往上；到了上面一级，梯度要它往下。直通估计器的梯度在最优处也不是 0，学习率固定就停不下来。所以训练时学习率要逐渐减小，并且用验证数据选步；抑制振荡的办法见 [Nagel 等，2022](references.ipynb)。直通估计器是有用的近似，不保证收敛到最好的编码。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 让范围也学
#
# 范围可以不由[校准](03_params.ipynb)决定，而是和权重一起学习。取 $z = 0$，$\hat x = s\,\operatorname{clamp}(\operatorname{rint}(x/s), q_{\min}, q_{\max})$。
#
# **【计算】** 仍把 $\operatorname{rint}$ 的导数当作 1，求 $\partial\hat x/\partial s$：先求没有截断的 $x$，再求被截断的 $x$。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 没有截断时 $\hat x = s\operatorname{rint}(x/s)$。用乘积的求导法则：
# $\operatorname{rint}(x/s) + s \cdot 1 \cdot \left(-x/s^2\right) = \operatorname{rint}(x/s) - x/s$。
#
# 被截断时 $\hat x = s\,q_{\max}$ 或 $s\,q_{\min}$，导数就是 $q_{\max}$ 或 $q_{\min}$。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# 这就是 LSQ（learned step size quantization，[Esser 等，2020](references.ipynb)）的梯度：
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
# 〔[Q6](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# LSQ 的论文把条件写在 $x/s$ 上，和这里相差两端的半个步长。更早的 PACT（[Choi 等，2018](references.ipynb)）学习截断的位置 $\alpha = s\,q_{\max}$，没有截断的值的梯度当作 0。用 `detach` 核对公式：

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
# 公式和 `backward` 一致。可是 $\operatorname{rint}$ 的导数其实是 0，这个梯度可信吗？看均方误差 $D(s) = \mathbb{E}[e^2]$。分界线上 $\hat x$ 跳变，$e$ 从 $s/2$ 变成 $-s/2$，而 $e^2$ 是连续的，所以 $D$ 的真导数存在，可以用差商 $\bigl(D(s + h) - D(s - h)\bigr)/(2h)$ 来测。没有截断的 $x$ 上，真导数用的是 $\partial\hat x/\partial s = \operatorname{rint}(x/s)$，Q6 用的是 $\operatorname{rint}(x/s) - x/s$，两者给出的 $\mathrm{d}D/\mathrm{d}s$ 相差 $\tfrac{2}{s}\,\mathbb{E}[x\,e]$，期望只算没有截断的 $x$。误差与信号[越不相关](01_information_theory.ipynb)，Q6 就越准。

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
# 两者相差的正是最后一列。离最优的 $s$ 较远时，Q6 和真导数符号相同、大小相近；在最优的 $s$ 附近真导数接近 0，这一点差别就使 Q6 停在稍有偏差的地方，位宽越低，偏差越大。
#
# 从最大值定的 $s$ 出发，沿 Q6 下降 300 步，和[上一章](03_params.ipynb)的 `mse` 校准比一比：

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
# 两种方法的均方误差相差不到百分之一，因为两者求的几乎是同一个最小值，`mse` 靠搜索，学习靠梯度。学习的好处是可以直接减小任务的损失，而不只是均方误差。$s$ 是许多值共用的，梯度是许多项之和，所以 LSQ 还把它除以 $\sqrt{N q_{\max}}$，$N$ 是共用这个 $s$ 的值的个数。
#
# 回到够不着目标的那个例子，让 $s$ 也学，$w$ 就不会停住：

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
# ### 训练后量化，还是量化感知训练
#
# 训练好的网络，是直接量化，还是穿过量化器再训练一段？
#
# | | 训练后量化（PTQ） | 量化感知训练（QAT） |
# |:--|:--|:--|
# | 数据 | 少量没有标签的代表性样本，用来定激活值的范围；只把权重逐个舍入时可以不要 | 训练数据，带标签 |
# | 时间 | 不训练；AdaRound、GPTQ 要逐层求解，更久一些 | 一段训练，要调学习率、步数，多次试验 |
# | 准确率 | 8 位通常接近浮点；位宽越低，损失越大 | 同样的低位宽下，通常比 PTQ 高 |
# | 什么时候用 | 总是先试 | PTQ 的准确率不够，又有数据和算力时 |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 问三个场景各选哪一种，先说数据有没有、时间有没有。

# %% [markdown] slideshow={"slide_type": "notes"}
# 准确率一行依据 [Nagel 等，2021](references.ipynb)；[一个真实的网络](05b_network.ipynb)一章在同一个网络上比较两种做法。PTQ 通常还带两个小步骤：量化之前，把批归一化（batch normalization）的缩放和平移并入前一层的权重和偏置；量化之后做偏置校正（bias correction），把权重的量化误差造成的输出均值的偏移从偏置里减去。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【思考】** 三个任务各选哪一种？8 位的图像分类网络，没有训练数据；同一个网络，3 位，有训练数据；70 亿参数的语言模型，权重 4 位，一块显卡。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 第一个用 PTQ：没有数据可训练，8 位通常也够。第二个用 QAT：3 位的 PTQ 损失大，数据又齐全。第三个用 GPTQ 一类的 PTQ：训练整个模型的代价太高。三个任务都先用 PTQ 测一次，再作决定。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ## 练习
#
# 这些练习留到课后做。每一题先写答案，再运行下一个单元格检查；检查不通过时，会给出最小的反例和提示。还没有动手的题，检查只会说“还没有完成”。

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（6 分钟，难度 1/3）写出 `my_codes(x, s, z, qmin, qmax)`：`x` 是 bfloat16 的张量，`s` 是浮点数，`z`、`qmin`、`qmax` 是整数。先把 `x` 转换成 float32 再算，返回 `torch.int32` 的编码。

# %% slideshow={"slide_type": "skip"}
def my_codes(x, s, z, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("quantize-bfloat16", my_codes)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_codes(x, s, z, qmin, qmax):
#     q = torch.round(x.float() / s) + z
#     return q.clamp(qmin, qmax).to(torch.int32)
# ```
#
# 次序是舍入、加零点、截断；在 float32 里加零点，和是准确的。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（5 分钟，难度 1/3）有人用 `brightens` 那一行把灰度图像横向缩小一半，缩小几次以后图像变亮了。改正 `my_halved(rows)`：`rows` 是由 0 到 255 的整数组成的浮点矩阵，列数是偶数；返回相邻两列的平均值，舍入成整数，仍是浮点矩阵，列数减半。要求偏差大致抵消，不用随机数。

# %% slideshow={"slide_type": "skip"}
def my_halved(rows):
    average = (rows[:, 0::2] + rows[:, 1::2]) / 2
    brightens = torch.floor(average + 0.5)  # what is wrong with it?
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("fix-the-average", my_halved)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_halved(rows):
#     average = (rows[:, 0::2] + rows[:, 1::2]) / 2
#     return torch.round(average)
# ```
#
# `torch.round` 把半整数舍入到偶数，往上和往下大致各占一半。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（4 分钟，难度 1/3）写出 `my_values(q, s, z)`：`q` 是 `torch.uint8` 的编码，`s` 是浮点数，`z` 是 $[0, 255]$ 里的整数，返回 float32 的重建值。

# %% slideshow={"slide_type": "skip"}
def my_values(q, s, z):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("dequantize-uint8", my_values)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_values(q, s, z):
#     return s * (q.to(torch.int32) - z).float()
# ```
#
# 先换成更宽的类型，再减零点：`uint8` 里没有负数。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（6 分钟，难度 2/3）写出 `my_mask(x, s, z, qmin, qmax)`：`x` 是 float32 的张量，`s` 是浮点数，`z`、`qmin`、`qmax` 是整数。返回与 `x` 同样形状的布尔张量，梯度通过的地方是 `True`。按照 Q5，在舍入之后、截断之前的编码上判断。

# %% slideshow={"slide_type": "skip"}
def my_mask(x, s, z, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("gradient-mask", my_mask)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_mask(x, s, z, qmin, qmax):
#     q = torch.round(x / s) + z
#     return (q >= qmin) & (q <= qmax)
# ```
#
# 编码恰为 $q_{\min}$、$q_{\max}$ 的值没有被截断，梯度照样通过。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（8 分钟，难度 2/3）不看 Q6，自己推导并写出 `my_slope(x, s, qmin, qmax)`：`x` 是 float32 的张量，`s` 是浮点数，$z = 0$。对 `x` 的每个元素返回 $\partial\hat x/\partial s$，$\operatorname{rint}$ 的导数当作 1，结果是 float32 的张量。

# %% slideshow={"slide_type": "skip"}
def my_slope(x, s, qmin, qmax):
    q = torch.round(x / s)
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("scale-gradient", my_slope)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_slope(x, s, qmin, qmax):
#     q = torch.round(x / s)
#     clipped = q.clamp(qmin, qmax)
#     return torch.where(q == clipped, q - x / s, clipped)
# ```
#
# 没有截断时是 $\operatorname{rint}(x/s) - x/s$，绝对值不超过 $\tfrac12$；被截断时是 $q_{\min}$ 或 $q_{\max}$，大得多，所以被截断的值对 $s$ 的影响最大。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 讨论
#
# **【思考】** 直通估计器的梯度不是导数，训练为什么还能成功？在什么情形下会失败？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 讨论 5 分钟：直通估计器不是导数，为什么能用？

# %% [markdown] slideshow={"slide_type": "skip"}
# 全课做到了哪里，运行下面的单元格就知道：

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 小结
#
# - 量化的次序是：除以 $s$，舍入（半整数取偶数），加 $z$，饱和截断到 $[q_{\min}, q_{\max}]$。先加奇数的 $z$ 再舍入，每一个半整数的编码都差 1。
# - 饱和截断是定义的一部分。没有饱和截断，超出 int8 的编码会绕回，正数变成负数，误差是 256 个步长。
# - 编码要存成整数类型；反量化时先换成更宽的类型，再减零点。
# - 零点舍入太晚，移动的是分界线；零点不舍入，0 就不再精确。

# %% [markdown] slideshow={"slide_type": "subslide"}
# - 没有被截断的 $x$ 满足 $\lvert x - \hat x\rvert \le s/2$；量化器幂等、单调，并且 0 精确。
# - 直通估计器把舍入的导数当作 1。本课的掩码在舍入之后的编码上取：编码没有越界时梯度为 1，否则为 0；Bengio 等没有掩码，Krishnamoorthi 的掩码两端各窄半个步长。
# - 穿过量化器训练时，编码会在分界线上振荡；学习率要逐渐减小，并用另一批数据选步。
# - $s$ 也可以学：没有截断的值，梯度是 $\operatorname{rint}(x/s) - x/s$；被截断的值，梯度是 $q_{\min}$ 或 $q_{\max}$（$z = 0$）。
# - 先试训练后量化；准确率不够，又有数据和算力，再用量化感知训练。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下一章：[只用整数](04b_integer.ipynb)，看各框架怎样实现这三步，并且从头到尾只用整数做一次矩阵乘法。
