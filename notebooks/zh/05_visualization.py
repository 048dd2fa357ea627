# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 可视化分析：从图上看出量化哪里出了毛病
#
# 同事发来一个量化好的张量，说量化信噪比只有 9 dB，问你问题出在哪里。一个总数只说量化得好不好，不说**为什么**；图可以告诉你，只要知道往哪里看。这一章训练读图：正常的量化是什么样子，每一种问题又各有什么特征。这些特征从何而来？我们推导其中两处：误差的直方图和误差的频谱。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先问：只知道 9 dB，你下一步看什么？让学生列出想看的图。

# %% [markdown]
# **学完这一章，你能：**
#
# - 读懂三个面板：分布、误差、量化前后对照；
# - 从误差的直方图和频谱，看出误差还像不像“噪声”；
# - 画出一个网络每一层的**量化信噪比**（SQNR），用峰值与均方根之比预测它；
# - 看图诊断一个张量：健康，还是截断太多、范围浪费、0 不精确、离群值、编码绕回，或者两种毛病同时出现；
# - 说出图会怎样骗人。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 部分 | 时间 |
# |:--|:--|
# | 1 三个面板 | 15 分钟 |
# | 2 分布、粒度、校准 | 29 分钟 |
# | 3 阶梯与频谱 | 13 分钟 |
# | 4 一个训练好的网络 | 10 分钟 |
# | 5 诊断 | 17 分钟 |
# | 6 图会骗人 | 5 分钟 |
# | 练习 | 23 分钟 |
# | 小结 | 1 分钟 |
# | ★ 选读 | 10 分钟 |

# %% slideshow={"slide_type": "skip"}
import math

import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import exercises, explore, noise_power, samples, sqnr_db, visualize_quantization
from quantcore.exercises import clinic
from quantcore.information import error_report
from quantcore.quantizer import fit
from quantcore.sheet import BLUE, GRAY, GREEN, RED, Sheet
from quantcore.visualization import density, draw_matrix, draw_quantization

INT4, UINT4 = QuantizationScheme.INT4, QuantizationScheme.UINT4
device = "cuda" if torch.cuda.is_available() else "cpu"

# %% slideshow={"slide_type": "skip"}
explore.set_language("zh")

# %% [markdown] slideshow={"slide_type": "skip"}
# `fit(x, bits, symmetric)` 是一个辅助函数：从 `x` 求参数，造出那个位宽的有符号量化器。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 三个面板
#
# 先看一个健康的例子：一万个高斯数，INT4，对称。
#
# **【预测】** 右边的面板会是一条直线、一条阶梯，还是一团云？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生在纸上画出第三个面板，再往下翻。

# %%
exercises.predict("third-panel")

# %% tags=["predict"] slideshow={"slide_type": "subslide"}
x = samples.distribution("normal").to(device)
visualize_quantization(x, INT4, symmetric=True)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **分布（distribution）。** 蓝色是 $x$ 的直方图。红线是重建值 $\hat x$：每个编码一根，高度是这个编码的概率除以步长 $s$，所以和密度可以直接比。正常时，红线的顶端与蓝色轮廓一致，两端的编码也有数据落入。
#
# **误差（error）。** 横轴是 $e/s$，$e = x - \hat x$。正常时，误差填满 $\pm\tfrac12$ 的方框，方框外面是空的。方框外面有东西，说明有[**饱和截断**](glossary.ipynb#量化器与整数运算)（clipping，以下简称截断）。方框里面不平有三种原因：步长太大；许多数恰好在网格上，误差都是 0；许多相同的数不在网格上，误差都是同一个值。反过来，方框平不等于步长合适：步长再大一些，方框照样可以是平的。
#
# **量化前后对照（original against quantized）。** 横轴 $x$，纵轴 $\hat x$。正常时是一条沿着虚线的阶梯。两头变平，就是截断。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 三个面板各用一句话。误差的横轴以步长为单位，要特别指出。

# %% [markdown] slideshow={"slide_type": "skip"}
# 现在动手。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【操作】** 从 8 位拖到 2 位，三个面板里哪一个先变样，哪一个最后？在 2 位取消“对称”呢？先写下预测，再拖。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 拖到 3 位停一下：哪个面板先变得“不正常”？

# %%
explore.quantization(x, bits=8, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# - **左边和右边先变。** 8 位时红线密得连成一片，到 6 位一根根分开了；右边到 6 位也看得出台阶。（8 位的红线参差不齐，不是量化的毛病：每个编码至多分到 140 个数左右，这是抽样的起伏。）
# - **误差面板最后变。** 从 8 位到 3 位，方框一直是平的。到 2 位，中间拱了起来，两边塌了下去。
# - **2 位取消“对称”**，方框又差不多平了。对称的 2 位只用 $-1, 0, 1$ 三个编码，步长就是最大值；取消以后，步长小了三分之一多。
#
# 误差面板的横轴除以了 $s$，所以这个面板不说误差有多大，只说一件事：误差还像不像均匀的噪声，也就是 $s^2/12$ 还能不能用。误差有多大，看图下的 MSE。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 方框从哪里来
#
# 记 $u = e/s$。没有截断时，$u$ 落在 $\pm\tfrac12$ 之间，$x = s\,(k + u)$，$k$ 是一个整数。
#
# $x$ 的密度记作 $f$，$u$ 的密度记作 $f_u$。同一个 $u$，每个 $k$ 都可能给出，概率要加起来。$u$ 改变 $\mathrm{d}u$ 时，$x$ 改变 $s\,\mathrm{d}u$，所以每一项都要乘以 $s$：
#
# $$
# f_u(u) = \sum_k s\, f\big(s\,(k + u)\big)
# $$

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 黎曼和用一张草图说明：每隔 s 取一个点。

# %% [markdown]
# 右边是一个黎曼和：每隔 $s$ 取一个点，高是 $f$，宽是 $s$。步长小的时候，这个和接近积分：
#
# $$
# f_u(u) \approx \int f(x)\, \mathrm{d}x = 1
# $$
#
# 〔[V1](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 这就是方框：密度和 $u$ 无关，面积是 1，方差是 $\tfrac1{12}$，也就是 $\sigma_q^2 = s^2/12$（[Bennett，1948](references.ipynb)；[Widrow & Kollár，2008](references.ipynb)）。

# %% [markdown] slideshow={"slide_type": "skip"}
# 2 位的方框中间拱起来。$f_u(0)$ 和 $f_u(\tfrac12)$ 能不能用第一个式子算出来？误差的方差比 $s^2/12$ 大，还是小？下一个单元格把这三个量算一算，再量一量。

# %% slideshow={"slide_type": "skip"}
many, k = samples.distribution("normal", 10**6).to(device), torch.arange(-300, 301)
many, normal = many[many.abs() <= x.abs().max()], torch.distributions.Normal(0, 1)
print("bits  f_u(0): predicted  measured f_u(1/2): predicted  measured   12 var(e) / s²")
for bits in (8, 6, 4, 3, 2):
    quantizer = fit(x, bits, symmetric=True)
    s = quantizer.params.scale.item()
    u = (many - quantizer(many)) / s
    predicted = [(s * normal.log_prob(s * (k + at)).exp()).sum() for at in (0, 0.5)]
    measured = [(u.abs() < 0.05).float().mean() / 0.1, (u.abs() > 0.45).float().mean() / 0.1]
    print(f"{bits} {predicted[0]:19.2f} {measured[0]:9.2f}", end="")
    print(f" {predicted[1]:20.2f} {measured[1]:9.2f} {12 * u.square().mean():16.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 3 位以上两处都是 1，预测到 2 位也准。2 位时方差只有 $s^2/12$ 的三分之二：大多数的数落在 0 所在的量化区间的中部，离重建值近。
#
# 以 $s^2/12$ 为单位的方差小，不等于误差小。2 位的 $s$ 大得多，MSE 也大得多。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 分布、粒度、校准
#
# 同一种网格，放在不同的数据上。
#
# **【操作】** 先写下预测，再逐一切换五种数据：
#
# 1. 高斯、拉普拉斯、均匀、ReLU 的输出、带**离群值**（outlier）的数据，4 位时哪一个的 SQNR 最高，哪一个最低？
# 2. 取消“对称”，哪一个得益最多？
# 3. ReLU 的误差面板，正中会有一根很高的柱子。为什么？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 换一种数据之前先预测 SQNR 是升还是降。

# %% slideshow={"slide_type": "subslide"}
explore.shapes(bits=4, symmetric=True)

# %% [markdown] slideshow={"slide_type": "subslide"}
# 若误差填满方框，噪声就是 $s^2/12$。步长从 $s_1$ 减到 $s_2$，SQNR 就多
#
# $$
# 20 \log_{10} \frac{s_1}{s_2} \text{ dB}
# $$
#
# 我们用这个式子预测取消“对称”的得益。
#
# **【预测】** 五种数据里，这个式子对哪一种不灵？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 哪一种数据不灵？先举手，再问理由。

# %%
exercises.predict("gain-formula")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("              SQNR, dB                  gain, dB")
print("shape       symmetric   asymmetric   predicted   measured")
for shape in samples.SHAPES:
    data = samples.distribution(shape).to(device)
    one, two = fit(data, 4, symmetric=True), fit(data, 4, symmetric=False)
    predicted = 20 * torch.log10(one.params.scale / two.params.scale)
    before, after = sqnr_db(data, one(data)), sqnr_db(data, two(data))
    print(f"{shape:10} {before:10.1f} {after:12.1f} {predicted:11.1f} {after - before:10.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 1. 均匀分布的 SQNR 最高：五种数据里，它的最大值与均方根之比最小，步长相同时信号的功率最大（第 4 节推导）。带离群值的最低：左边的红线只看得见 0 那一根。
# 2. ReLU 的输出得益最多。它没有负数，对称时负的编码全空着；取消以后，步长从 $\max x/7$ 减到 $\max x/15$。
# 3. 一半的数恰好是 0，0 又是精确的，误差就恰好是 0。这根柱子是好事。
#
# 式子对离群值不灵。几乎所有的数都量化成 0，误差就是 $x$ 自己，和 $s$ 没有关系。看误差面板：呈钟形，而不是矩形。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# 下面换成训练好的权重：手写数字识别网络的最后一层（网络的几个词见[开始](00_start.ipynb#网络的最少知识)一章）。四个开关一起用。
#
# **【操作】** 从 4 位、对称、逐张量、`minmax` 出发，先预测，再动：
#
# 1. 只改一个开关，哪一个得益最多：非对称、逐通道、逐组，还是 `mse`？
# 2. 非对称有好处，`mse` 也有好处。两个一起改，好处能相加吗？
# 3. 逐组（每组 16 个）要多存缩放因子。不分组，改用 5 位、逐张量，SQNR 赶得上吗？哪一种占的位数多？

# %% slideshow={"slide_type": "subslide"}
w = samples.digits_network()[5].weight
explore.workbench(w, bits=4, symmetric=True)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 让一组学生当“医生”，每次只许改一个开关，改之前说出预期的分贝数。

# %% tags=["predict"] slideshow={"slide_type": "skip"}
first = sqnr_db(w, fit(w, 4, symmetric=True)(w))
print("                  bits/weight    SQNR, dB    gain, dB")
for name, bits, options in (
    ("as it is", 4, {}), ("asymmetric", 4, {"symmetric": False}), ("per channel", 4, {"axis": 0}),
    ("per group", 4, {"group_size": 16}), ("mse", 4, {"method": "mse"}),
    ("asymmetric, mse", 4, {"symmetric": False, "method": "mse"}), ("5 bits", 5, {}),
    ("5 bits, mse", 5, {"method": "mse"}),
):
    quantizer = fit(w, bits, **{"symmetric": True} | options)
    db, size = sqnr_db(w, quantizer(w)), bits + 32 * quantizer.params.scale.numel() / w.numel()
    print(f"{name:17} {size:11.2f} {db:11.1f} {db - first:+11.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 1. 逐组得益最多：16 个数共用一个 $s$，它们的最大值比整个张量的小得多。但这不是白得的，看 `bits/weight` 那一列：每个权重多存了 2 位。（代价 $b + 32/g$ 是[量化参数](03_params.ipynb)一章算的，那里也有 16 位的缩放因子。）`mse` 一位也不多用。
# 2. 不能。两个办法都在减小 $s$，`mse` 已经把 $s$ 减到最合适的地方，非对称就没有什么可减了。
# 3. 能，而且更省。5 位、逐张量每个权重只占 5.01 位，SQNR 已经高过占 6 位的逐组；再用 `mse` 还要高。这层权重没有离群值，逐组用不上它的长处。
#
# 选逐通道或逐组以后，每个通道或每一组有自己的 $s$，自己的一套重建值。左图的红线就成了 $\hat x$ 的细直方图，还抹平了一点，只能看个大概，不能再和蓝色的轮廓一根根地比。
#
# 逐组时误差面板正中多了一根柱：每组 16 个数里，绝对值最大的那个恰好落在编码 $\pm 7$ 上，误差是 0。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 热图
#
# 权重是一个矩阵，我们就把它画成矩阵，这叫**热图**（heat map）。左边是权重，中间是误差，右边是每行的 SQNR，一行是一个输出通道。白是 0，颜色越深，绝对值越大。
#
# **【操作】** 从逐张量换成逐通道（4 位，对称）。哪一行的 SQNR 一点也不变？每一行都变好吗？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先盯住最浅的一行，再切换到逐通道。

# %% slideshow={"slide_type": "subslide"}
explore.granularity(w[:, :64].contiguous(), bits=4, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 第 4 行不变：整个矩阵里绝对值最大的权重就在这一行，这一行的 $s$ 和逐张量的 $s$ 是同一个。第 8、9 行的权重小，得益最多。
#
# 也有稍微变差的，比如第 0 行。一行只有 64 个数，步长一变，每个数重新舍入，误差有大有小。步长只减小一成，压不过这种起伏。
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# 逐张量时，误差图处处一样深。误差的大小由 $s$ 决定，而 $s$ 只有一个：权重小的行，误差并不小。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 把第 3 行缩小到十分之一，其余不动。信号功率就只剩 1/100。如果误差还是那么大，逐张量 4 位时，这一行的 SQNR 要减少多少 dB？（现在是多少，从上面的右图读。）在左图和中图里，这一行会是什么样子？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先算这一行的 SQNR，再看图。多数人以为整体会明显变差。

# %%
exercises.predict("quiet-row")

# %% tags=["fold", "predict"] slideshow={"slide_type": "subslide"}
part = w[:, :64]
sick = part.clone()
sick[3] /= 10
sheet = Sheet(3, height=3.4)
draw_matrix(sheet, sick, fit(sick, 4, symmetric=True), 4)
sheet.show("small-row", db=f"{sqnr_db(sick, fit(sick, 4)(sick)):.1f}")

# %% slideshow={"slide_type": "skip"}
def row_3(shrink, **options):
    t = part.clone()
    t[3] /= shrink
    t_hat = fit(t, 4, **options)(t)
    return sqnr_db(t[3], t_hat[3]), sqnr_db(t, t_hat), (t_hat[3] != 0).sum().item()


print("dB      row 3, per tensor: predicted  measured  not 0 of 64   per channel   whole matrix")
for shrink in (1, 2, 5, 10, 20):
    predicted = row_3(1)[0] - 20 * math.log10(shrink)
    measured, whole, left = row_3(shrink)
    print(f"row 3 / {shrink:2} {predicted:24.1f} {measured:9.1f} {left:12}", end="")
    print(f" {row_3(shrink, axis=0)[0]:13.1f} {whole:14.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 左图里第 3 行几乎全白，中图里却认不出来：误差和别的行一样深。**如果某一行在权重图上是白的，在误差图上却有颜色，这一行的信息就已被噪声淹没。**
#
# “误差还是那么大”有条件：这一行的权重大多超过 $s/2$，舍入误差才与信号的大小无关。缩小到五分之一，已有一半的权重量化成 0，预测开始不准；到十分之一，64 个里只剩 4 个不是 0，预测相近是碰巧；到二十分之一，整行都是 0，误差就是信号自己，SQNR 停在 0 dB，不会再降。
#
# 整体的 SQNR 几乎没有变，第 3 行却毁了。一个总数会盖住局部的灾难，所以要按行看。逐通道量化救回了这一行：每行除以自己的 $s$，$w$ 和 $s$ 一起缩小，编码不变。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 阶梯与频谱
#
# 不看数据，只看量化器自己：$\hat x$ 随 $x$ 怎样变，误差随 $x$ 怎样变。
#
# **【操作】** 非对称、2 位，范围 $[-1, 2]$。0 在哪一级台阶上？在这一级的边上，还是正中？拖动位宽，再勾上“对称”，答案会变吗？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 拖动之前问：误差的锯齿会有几个，有多高？

# %%
explore.staircase(bits=2, symmetric=False)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 左图的空心圈是 0，总在一级的正中，怎样拖都不变。整数网格加零点，总是**中平型**（mid-tread）的。
#
# 右图绿色的锯齿是误差除以 $s$。每个齿从 $-\tfrac12$ 升到 $\tfrac12$；出了范围，右边一路升，左边一路降，直到离开画面。
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# 锯齿是 $x$ 的函数。所以误差不是随机的，它完全由信号决定。取一个正弦 $x = \sin\theta$，误差就是相位 $\theta$ 的函数，$\theta$ 转一圈，误差重复一次。每 $2\pi$ 重复一次的函数可以写成 $\sin\theta, \sin 2\theta, \sin 3\theta, \dots$（以及余弦和一个常数）之和，所以误差里只有信号频率的整数倍，叫**谐波**（harmonic）。把一段信号里每个频率的强弱画成一条线，就是它的**频谱**（spectrum）。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【操作】** 一个满幅的正弦，4 位，对称。先预测，再动：
#
# 1. 误差的频谱是平的，还是有尖峰？打开**抖动**（dither）呢？
# 2. 打开抖动以后，SQNR 变好了吗？
# 3. 抖动开着，取消“对称”。尖峰会回来吗？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先问噪声谱是平的还是有尖峰，再打开抖动。

# %%
explore.spectrum(bits=4)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 1. 有尖峰，都是谐波。次数高的谐波超过了采样率的一半，采样以后和较低的频率分不开，就画在较低的频率上，叫**混叠**（aliasing），所以整个频带上都有谱线。打开抖动，尖峰沉进平坦的噪声里。
# 2. 没有，SQNR 还稍稍低了一点。抖动改变的是误差的样子，不是大小。
# 3. 回来一些。抖动的前提是不截断。非对称时最高的一级比 1 低半个步长，信号的峰顶加上抖动就出了范围。
#
# 既然功率不变，抖动有什么用？眼睛和耳朵容易认出有规律的误差，不容易认出平坦的噪声。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 频谱的平均高度就是噪声功率 ★
#
# 这一小节用到离散傅里叶变换，可以跳过。结论只有一条：频谱的平均高度等于噪声功率，所以压平尖峰不等于减小功率；误差是白噪声时，每根线的期望都是这个高度。
#
# 误差 $e_0, \dots, e_{N-1}$ 的离散傅里叶变换是（$\mathrm{i}$ 是虚数单位）
#
# $$
# F_k = \sum_{j=0}^{N-1} e_j \exp\!\left(-\frac{2\pi \mathrm{i}\,k j}{N}\right)
# $$
#
# 把所有的 $\lvert F_k\rvert^2$ 加起来：
#
# $$
# \sum_k \lvert F_k\rvert^2 = \sum_j \sum_l e_j e_l \sum_k \exp\!\left(-\frac{2\pi \mathrm{i}\,k (j-l)}{N}\right) = N \sum_j e_j^2
# $$
#
# 最里面的和，$j = l$ 时是 $N$ 个 1；$j \ne l$ 时是单位圆上均匀分布的点，抵消成 0。两边除以 $N^2$：
#
# $$
# \frac1N \sum_k \frac{\lvert F_k\rvert^2}{N} = \frac1N \sum_j e_j^2 = \sigma_q^2
# $$
#
# 这是帕塞瓦尔（Parseval）等式，任何误差都成立。**频谱的平均高度就是噪声功率**，形状只说这些功率分给了哪些频率。
#
# 什么时候是平的？若各个 $e_j$ 独立，均值是 0，方差都是 $\sigma_q^2$，那么上面的双重和里只有 $j = l$ 的项留下：
#
# $$
# \mathbb{E}\,\frac{\lvert F_k\rvert^2}{N} = \frac1N \sum_j \sum_l \mathbb{E}[e_j e_l] \exp\!\left(-\frac{2\pi \mathrm{i}\,k (j-l)}{N}\right) = \sigma_q^2
# $$
#
# 〔[V2](06_summary.ipynb#公式总表)〕
#
# 每根线的期望都是 $\sigma_q^2$，这叫**白噪声**（white noise）。[信息论基础](01_information_theory.ipynb)一章证明过：减性抖动、不截断时，误差均匀，和信号独立，$\sigma_q^2 = s^2/12$。每个样本的抖动各自独立，各个 $e_j$ 也就独立。所以频谱平均起来是平的，高度恰好是 $s^2/12$。
#
# 单独一根线还有起伏。$F_k$ 的实部和虚部各是许多独立项之和，近似高斯；平方和近似指数分布，超过平均值 $t$ 倍的概率是 $\exp(-t)$。$N/2$ 根线里，这么高的大约有 $\tfrac N2 \exp(-t)$ 根。$t = \ln\tfrac N2$ 时只剩一根，所以最高的大约是平均的 $\ln\tfrac N2$ 倍。
#
# 下面检验四个量：误差功率、谱线的平均高度、最高谱线与平均高度之比、谐波所占的比例。取 8192 个样本，正弦正好 32 个周期，谐波就都在 32 的整数倍上；没有谐波的白噪声，在这些位置上只有 $1/32$ 的功率：

# %% slideshow={"slide_type": "skip"}
N = 8192
sine = torch.sin(2 * torch.pi * 32 / N * torch.arange(N, dtype=torch.float64))
u = torch.rand(N, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
print("                          power   mean line   highest / mean   on harmonics")
print(f"white noise, predicted {1:8.2f} {1:11.2f} {math.log(N / 2):16.0f} {1 / 32:14.2f}")
for name, symmetric, d in (("plain", True, 0), ("dither", True, u), ("dither, clips", False, u)):
    quantizer = fit(sine, 4, symmetric)
    s = quantizer.params.scale
    e = (sine + s * d) - quantizer(sine + s * d)
    lines = torch.fft.fft(e).abs().square() / N
    power, mean = (v / noise_power(s) for v in (e.square().mean(), lines.mean()))
    high, share = lines[1 : N // 2 + 1].max() / lines.mean(), lines[::32].sum() / lines.sum()
    print(f"{name:22} {power:8.2f} {mean:11.2f} {high:16.0f} {share:14.2f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# 前两列的单位是 $s^2/12$，每行两数相等：这是帕塞瓦尔等式，三种误差都满足。
#
# 不加抖动，功率全在谐波上，最高的一根是平均的几百倍。加了抖动，四个数都和白噪声的预测相符，功率没有变小。最后一行有截断，抖动的前提不成立，谐波又留下一些。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 一个训练好的网络
#
# 三层权重，从 2 位到 8 位，各自的 SQNR。虚线的斜率是每位 6.02 dB。
#
# **【预测】** 三条线和虚线平行吗？哪一层最高？

# %% tags=["fold", "predict"] slideshow={"slide_type": "subslide"}
network, names = samples.digits_network(), {0: "0 Conv2d", 2: "2 Conv2d", 5: "5 Linear"}
sheet, table, bits = Sheet(1, height=3.4), {}, range(2, 9)
for i, style in {0: (BLUE, "o", 5), 2: (GREEN, "s", 9), 5: (RED, "o", 5)}.items():
    weight, (color, marker, size) = network[i].weight, style
    table[i] = [round(sqnr_db(weight, fit(weight, b, symmetric=True)(weight)), 1) for b in bits]
    sheet.line(0, names[i], bits, table[i], color=color, marker=marker, markersize=size)
sheet.line(0, "6.02 b", bits, [6.02 * b for b in bits], color=GRAY, linestyle="--")
sheet.frame(0, "SQNR of each layer's weights, per tensor, minmax", "bit width b", "dB")
sheet.legend(0, loc="upper left")
sheet.show("layer-sqnr", **{f"layer{i}": ", ".join(map(str, table[i])) for i in table})

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 三条线为什么平行？请学生回想 6 dB。

# %% [markdown] slideshow={"slide_type": "notes"}
# 第 0 层最高，另外两层几乎重合。位宽大时，线和虚线平行；位宽小时，线比虚线陡。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 这两件事可以用一个式子说清。对称量化 $s = \max\lvert w\rvert / (2^{b-1} - 1)$，噪声 $s^2/12$，信号 $w_{\mathrm{rms}}^2$（rms 是均方根），所以
#
# $$
# \mathrm{SQNR} = 10 \log_{10} \frac{w_{\mathrm{rms}}^2}{s^2/12} = 10 \log_{10} \big(12\,(2^{b-1} - 1)^2\big) - 20 \log_{10} \frac{\max\lvert w\rvert}{w_{\mathrm{rms}}} \text{ dB}
# $$
#
# 〔[V3](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 第一项只看位宽，三层都一样，所以三条线互相平行。第二项只看数据，是**峰值与均方根之比**：最大的权重比一般的大得越多，线越低。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 这个式子到 2 位还准吗？线在低位宽处变陡，是因为 $s^2/12$ 不成立了，还是因为 $2^{b-1} - 1$？如果式子还准，从 3 位到 2 位，SQNR 要减少多少 dB？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 问：这个式子到几位不再可信？

# %%
exercises.predict("last-bit")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("SQNR, dB               2 bits                3 bits                8 bits")
print("          peak/rms" + "   predicted  measured" * 3)
for i, name in names.items():
    weight = network[i].weight
    ratio = weight.abs().max() / weight.square().mean().sqrt()
    print(f"{name:10} {ratio:7.2f}", end="")
    for b in (2, 3, 8):
        predicted = 10 * torch.log10(12 * (2 ** (b - 1) - 1) ** 2 / ratio**2)
        measured = sqnr_db(weight, fit(weight, b, symmetric=True)(weight))
        print(f" {predicted:11.1f} {measured:9.1f}", end="")
    print()

# %% [markdown] slideshow={"slide_type": "notes"}
# 3 位和 8 位，预测差不到 0.5 dB。2 位也只差 1 dB 左右，$s^2/12$ 还没有错得很远。变陡是因为 $2^{b-1} - 1$：从 3 位到 2 位，这个数从 3 变成 1，一下子少 9.5 dB。2 位一共四个编码，对称又空着一个。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 3 位时，后两层权重的 SQNR 几乎相等。只量化其中一层，网络输出的 SQNR 也几乎相等吗？

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
images = samples.digits()[2]
y = network(images)
for i, name in names.items():
    weight = network[i].weight
    weight_hat = fit(weight, 3, symmetric=True)(weight)
    y_hat = torch.func.functional_call(network, {f"{i}.weight": weight_hat}, images)
    print(f"{name}   SQNR of weights {sqnr_db(weight, weight_hat):5.1f} dB", end="   ")
    print(f"of outputs {sqnr_db(y, y_hat):3.0f} dB")

# %% [markdown] slideshow={"slide_type": "notes"}
# 不相等，差了 9 dB。权重的 SQNR 里没有这一层的输入，也没有后面的各层。要问哪一层最怕量化，得把网络运行一遍。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 诊断
#
# 下面的八组图 A 到 H 次序随机，都是 4 位。前四组在这里看，后四组留到练习。可能的诊断有七种：**健康**、**截断太多**、**范围浪费**、**0 不精确**、**离群值**、**离群值且 0 不精确**（两种毛病同时出现）、**编码绕回**（忘了截断，放不下的编码从另一头出来）。一种诊断可能出现两次，不能靠排除法。
#
# 每组先看三个面板，再回答。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 门诊开始：全班分组，每组一例，2 分钟写诊断和证据，然后上台。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
cases = clinic.cases()


def case(name):
    one, sheet = cases[name], Sheet(3)
    draw_quantization(sheet, one.x, one.quantizer)
    return sheet.show("case", name=name, db=f"{sqnr_db(one.x, one.quantizer(one.x)):.2f}")

# %% slideshow={"slide_type": "subslide"}
case("A")

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先让学生说出最不寻常的面板，再下诊断。

# %% [markdown]
# **【预测】** A 是哪一种？

# %%
exercises.predict("diagnosis/A")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# **截断太多。** 右图两头是平的。误差面板的方框外面有东西，两边的边上各堆着一根柱子（比 $\pm 1.5$ 更远的都算在那里）。左图最外面的两根红线冲到顶。中间的台阶很小，可是两成多的数在范围外面。
#
# 忘了写截断、编码绕回，误差面板的两边也会堆起柱子（见[均匀量化器](04_quantizer.ipynb)）。怎样区分？看右图：截断时两头是平的，绕回时两头跳到另一边去。
#
# </details>

# %% slideshow={"slide_type": "subslide"}
case("B")

# %% [markdown]
# **【预测】** B 是哪一种？

# %%
exercises.predict("diagnosis/B")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# **离群值。** 横轴被撑开了：数据挤在左边，右图的右上角只有一个点。16 个编码只用到几个，误差堆在中间，因为几乎所有的数都变成了 0。`minmax` 照着一个数选了范围。
#
# </details>

# %% slideshow={"slide_type": "subslide"}
case("C")

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# C 的 SQNR 比第 1 节那个健康的例子还高，会有人就凭这个说它没病。追问：证据呢？

# %% [markdown]
# **【预测】** C 是哪一种？

# %%
exercises.predict("diagnosis/C")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# **健康。** 误差面板的正中有一根柱子，但这不是毛病：ReLU 的输出有一半恰好是 0，0 又是精确的，误差就恰好是 0。方框外面是空的，右图的阶梯从原点开始，16 个编码都用到了。
#
# </details>

# %% slideshow={"slide_type": "subslide"}
case("D")

# %% [markdown]
# **【预测】** D 是哪一种？

# %%
exercises.predict("diagnosis/D")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# **0 不精确。** 误差面板的柱子在 $-\tfrac12$ 处，不在正中：每个 0 都变成了 $s/2$。和 C 对比，数据相同，只有柱子的位置不同。左图最高的红线不在 0 上。右图的阶梯不经过原点，最低的一级高半步。
#
# 这里的零点是 $-\tfrac12$，没有取整。误差的均值也不是 0，求和时会越积越多。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# 看完图，再用数核对。一共四个数：

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 四个数各能避免哪一种误诊？请学生配对。

# %% [markdown]
# | 毛病 | 数 | 4 位正常时 |
# |:--|:--|:--|
# | 截断太多，编码绕回 | 编码超出范围的比例 | 不到 1% |
# | 范围浪费 | 用到的编码占全部的比例 | 一半以上 |
# | 离群值 | 峰值与均方根之比 | 六以下 |
# | 0 不精确 | $Q(0)/s$，$Q$ 指量化再反量化 | 恰好是 0 |

# %% [markdown] slideshow={"slide_type": "notes"}
# 第三行的界限从哪里来？第 4 节的式子里，$b = 4$ 时第一项是 27.7 dB，比值是 6 时 SQNR 剩 12 dB 左右；比值是 10 时只剩 7.7 dB，还不如 A。这些界限是经验的，不是定律：把它们当作“该去看图了”的信号。

# %% slideshow={"slide_type": "fragment"}
def report_on(name, x, quantizer):
    report, p = error_report(x, quantizer), quantizer.params
    used = len(quantizer(x).unique()) / (p.qmax - p.qmin + 1)
    peak = x.abs().max() / x.square().mean().sqrt()
    zero = quantizer(torch.zeros(1)).item() / p.scale
    print(f"{name:5} {report.clipped:9.1%} {used:11.0%} {peak:10.1f} {zero:8.2f}", end="")
    print(f" {report.sqnr_db:8.1f}")


print("      outside   codes used   peak/rms   Q(0)/s   SQNR, dB")
for name in "ABCD":
    report_on(name, cases[name].x, cases[name].quantizer)

# %% [markdown] slideshow={"slide_type": "notes"}
# C 的四个数都正常。A、D 各有一个数不正常，B 有两个：离群值也浪费范围。
#
# 一个 SQNR 要有可比的对象才有意义。D 的 SQNR 比 A、B 都高，单看这个数会放过 D；同样的 ReLU 数据，C 比 D 高近 6 dB，这样比才看得出来。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 诊断清楚，就可以对症下药。下面哪一组的 SQNR 提高最多？哪一组治好了，数值还是不高？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先选药再看疗效，选错的最有价值。

# %% slideshow={"slide_type": "fragment"}
healthy, relu, spiked = (cases[name].x for name in "ACB")
cures = {"A": ("minmax", fit(healthy, 4, symmetric=True))}
cures["B"] = "mse", fit(spiked, 4, symmetric=True, method="mse")
cures["D"] = "exact zero", UniformQuantizer(QuantizationParams.from_tensor(relu, UINT4))
print("                   SQNR, dB: before    after    after, without the largest value")
for name, (cure, quantizer) in cures.items():
    t, ill = cases[name].x, cases[name].quantizer
    rest = t != t.abs().max()
    numbers = sqnr_db(t, ill(t)), sqnr_db(t, quantizer(t)), sqnr_db(t[rest], quantizer(t)[rest])
    print(f"{name}   {cure:12}" + "{:19.1f}{:9.1f}{:13.1f}".format(*numbers))

# %% [markdown] slideshow={"slide_type": "notes"}
# A 是范围选错了，换成 `minmax` 就好。D 把零点取整，多得近 6 dB：一半的数是 0 时，中升型的噪声是中平型的四倍，[率失真](01b_rate_distortion.ipynb#中升与中平)一章算过。

# %% [markdown] slideshow={"slide_type": "notes"}
# B 提高得最多。总数还是不高，因为那个离群值被截断了，剩下的噪声大半来自这一个数。除去这个数，其余的都好了。这个离群值是否重要，从 SQNR 上看不出来。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6 图会骗人
#
# 常见的做法是给 $x$ 和 $\hat x$ 各画一张直方图，各分 50 个直方图区间（bin）。
#
# **【预测】** $x$ 均匀分布，量化到 INT8。$\hat x$ 的直方图是平的吗？除去两头，最高的区间是最低的区间的几倍？（两个重建值相距 $2\sqrt3/254$，直方图区间宽 $3.5/50$。）

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先看两个直方图，请学生说第二个有没有毛病。

# %%
exercises.predict("comb-ratio")

# %% tags=["fold", "predict"] slideshow={"slide_type": "subslide"}
flat = samples.distribution("uniform", 10**6)
q8 = fit(flat, 8, symmetric=True)
sheet, spread = Sheet(2), []
for i, (name, t) in enumerate((("x", flat), ("x̂", q8(flat)))):
    heights, edges = density(t, -1.75, 1.75, 50)
    inner = heights[2:-2]
    spread.append((inner.max() / inner.min()).item())
    sheet.bars(i, name, heights, edges, color=(BLUE, RED)[i])
    sheet.frame(i, f"{name} in 50 bins", name, "density", (-1.8, 1.8), (0, 0.4))
sheet.show("uniform-bins", x=f"{spread[0]:.2f}", x_hat=f"{spread[1]:.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 一个直方图区间宽 $3.5/50$，重建值相距 $s$。一个区间里有几个重建值？最高的区间和最低的区间该差几倍？

# %% slideshow={"slide_type": "skip"}
inside = (3.5 / 50 / q8.params.scale).item()
print(f"levels per bin: {inside:.2f}, so {int(inside)} or {int(inside) + 1}")
print(f"highest / lowest   predicted {(int(inside) + 1) / int(inside):.2f}", end="   ")
print(f"measured {spread[1]:.2f}   (x itself, from sampling: {spread[0]:.2f})")

# %% [markdown] slideshow={"slide_type": "notes"}
# $\hat x$ 的“梳齿”不是量化的毛病。有的区间里有 5 个重建值，有的有 6 个，直方图就高低不平。离散的数应当一级画一根线，像第 1 节的红线那样。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 还有三条：
#
# - **散点图藏住密度。** 一万个点叠在一起，看不出一个地方有十个还是一千个。看密度用直方图。
# - **看形状，误差除以 $s$；比大小，不要除。** 不除，8 位和 2 位的误差相差约一百倍，画在一张图里只看得见大的那个。除了，两个都在 $\pm\tfrac12$ 里，看不出谁大。
# - **看尾巴，用对数轴。** 离群值只占千分之一，线性的纵轴上看不见。[量化参数](03_params.ipynb)一章的校准图用的就是对数轴。

# %% [markdown] slideshow={"slide_type": "skip"}
# ## 练习
#
# 这些题课后做。写下答案，下一个单元格就检查；没有动过的题，检查说“还没有完成”。
#
# **【操作】**（5 分钟，难度 1/3）写出 `my_share(x, scale, qmin, qmax)`：$z = 0$，返回被截断的值所占的比例。

# %% slideshow={"slide_type": "skip"}
def my_share(x, scale, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("clipped-share", my_share)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_share(x, scale, qmin, qmax):
#     q = torch.round(x / scale)
#     return ((q < qmin) | (q > qmax)).float().mean()
# ```
#
# 先舍入，再比较：在最外面的重建值之外不到半个步长的值，没有被截断。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（4 分钟，难度 1/3）写出 `my_ratio(x)`：峰值（最大的绝对值）与均方根之比。

# %% slideshow={"slide_type": "skip"}
def my_ratio(x):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("peak-over-rms", my_ratio)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_ratio(x):
#     return x.abs().max() / x.square().mean().sqrt()
# ```
#
# 先平方，再平均，再开方；不减平均值。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（6 分钟，难度 1/3）写出 `my_rows(w, w_hat)`：两个同样大小的矩阵，返回每一行的 SQNR（一维张量），单位 dB。

# %% slideshow={"slide_type": "skip"}
def my_rows(w, w_hat):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("row-sqnr", my_rows)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_rows(w, w_hat):
#     signal, noise = w.square().sum(1), (w - w_hat).square().sum(1)
#     return 10 * torch.log10(signal / noise)
# ```
#
# 沿第 1 维求和，剩下的是行。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（8 分钟，难度 2/3）一个 `(32, 64)` 的高斯矩阵，每 8 行里有 1 行缩小到十分之一。选择设置，使**最差的一行**的 SQNR 不低于 15 dB，平均位数（连同 float16 的缩放因子）不超过 4.5。`bits` 取 2 到 8，`layout` 取 `"per tensor"`、`"per channel"`（每行一个）或 `"per group"`（16 个一组）。准备一句话，为你的选择辩护。

# %% slideshow={"slide_type": "skip"}
my_settings = {"bits": ..., "layout": ...}

# %% slideshow={"slide_type": "skip"}
exercises.check("choose-layout", my_settings)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# my_settings = {"bits": 4, "layout": "per channel"}
# ```
#
# 小的行有了自己的缩放因子，步长就小了；一行 64 个权重，每个权重只多 $16/64 = 0.25$ 位。逐组也够精确，但要多 1 位。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 再看四组图
#
# 诊断的后四组。先答，再运行 H 后面的单元格核对。

# %% slideshow={"slide_type": "skip"}
case("E")

# %% [markdown] slideshow={"slide_type": "skip"}
# **【预测】** E 是哪一种？

# %% slideshow={"slide_type": "skip"}
exercises.predict("diagnosis/E")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# **健康。** 三个面板都正常：红线的顶端与蓝色轮廓一致，方框填满而外面是空的，阶梯沿着虚线。
#
# </details>

# %% slideshow={"slide_type": "skip"}
case("F")

# %% [markdown] slideshow={"slide_type": "skip"}
# **【预测】** F 是哪一种？

# %% slideshow={"slide_type": "skip"}
exercises.predict("diagnosis/F")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# **编码绕回。** 右图的两头跳到了另一边：最大的数变成了负数。误差面板的两边各有一根柱子，这一点像截断，但截断时右图的两头是平的。忘了截断，比最大的编码多 1，就成了最小的编码。
#
# </details>

# %% slideshow={"slide_type": "skip"}
case("G")

# %% [markdown] slideshow={"slide_type": "skip"}
# **【预测】** G 是哪一种？

# %% slideshow={"slide_type": "skip"}
exercises.predict("diagnosis/G")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# **范围浪费。** 左图只看得见几根红线，右图只有几级台阶，这一点像离群值；但是横轴正常，数据没有挤在一边。误差全在方框里，没有截断。步长太大，因为范围选得比数据宽好几倍。
#
# </details>

# %% slideshow={"slide_type": "skip"}
case("H")

# %% [markdown] slideshow={"slide_type": "skip"}
# **【预测】** H 是哪一种？

# %% slideshow={"slide_type": "skip"}
exercises.predict("diagnosis/H")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# **离群值且 0 不精确。** 横轴被撑开，只用到几个编码，这是离群值；误差面板正中不是最高，$-\tfrac12$ 附近有一根高柱，右图最低的一级不在 0 上，这是 0 不精确。找到一种毛病以后，还要接着看别的面板。
#
# </details>

# %% slideshow={"slide_type": "skip"}
print("      outside   codes used   peak/rms   Q(0)/s   SQNR, dB")
for name in "EFGH":
    report_on(name, cases[name].x, cases[name].quantizer)

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 讨论
#
# **【思考】** 一个网络有一百层，不可能逐层看图。你会先算哪些数，用什么样的界限挑出该看图的层？哪一种毛病，你的数会放过？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 讨论 5 分钟：一百层的网络，报警该设在哪些数上？

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 小结
#
# - 三个面板各有分工：分布看编码用得怎样，误差看还像不像均匀的噪声，对照看截断和 0。
# - 没有截断时，$e/s$ 的密度是 $\sum_k s\,f(s(k+u))$；步长小时它接近 1，误差填满 $\pm\tfrac12$ 的方框，方差是 $\tfrac1{12}$（单位是 $s^2$）。
# - 误差由信号决定；信号是正弦时，误差的频谱只有谐波。
# - 频谱的平均高度等于噪声功率。减性抖动抹平谐波，不减小功率，前提是不截断。
# - 用 `minmax` 时，峰值与均方根之比决定一层权重的 SQNR；这一层对网络输出的影响，要把网络运行一遍才知道。
# - 一个总的 SQNR 会盖住局部的灾难。按行、按层、按通道看。
# - 图上认出的毛病要用数核对，比较时要用同样的数据。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下一章：[一个真实的网络](05b_network.ipynb)。
