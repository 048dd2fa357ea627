# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 开始：量化的基础与数学原理
#
# 我们想在自己的电脑上运行一个有 70 亿个参数的语言模型。模型的权重按 16 位浮点数存放，一个参数占 2 个字节，一共 14 GB。可是显卡只有 8 GB 显存，放不下。如果每个参数只用 8 位或者 4 位来存，放得下吗？存得这么粗，模型还能用吗？
#
# **量化**（quantization）就是这样一种存法：先选定有限个整数，再用这些整数去近似表示范围内的实数。字节省下来了，精度也丢了一部分。丢了多少？能不能算出来？什么时候算出来的结果不可靠？这门课就回答这三个问题。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 开场先问：谁在自己的电脑上运行过语言模型？内存够不够？把 14 GB 和 8 GB 写在黑板上，留到后面对照。3 分钟。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **学完这一章，你能：**
#
# - 算出一个模型量化以后占多少字节，缩放因子也计算在内；
# - 拖动滑块，读懂一张量化的阶梯图；
# - 手算一个数的量化和反量化，认得全课通用的记号；
# - 用五个问题描述任何一种量化方法，并说出这门课讲到哪里；
# - 说出网络的一层在算什么，卷积为什么也是矩阵乘法。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 部分 | 时间 |
# |:--|:--|
# | 一个放不下的模型 | 10 分钟 |
# | 第一个滑块 | 15 分钟 |
# | 一个数的旅程 | 15 分钟 |
# | 量化的全景图 | 10 分钟 |
# | 课程地图与学习方法 | 5 分钟 |
# | 网络的最少知识 | 10 分钟 |
# | 练习 | 21 分钟 |
# | 小结 | 5 分钟 |
# | 附录 | 15 分钟 |
#
# 练习留到课后，附录供查阅，都不占上课的时间；其余各节一共 70 分钟。运行代码时如果出现 `No module named` 或者别的错误，请先看附录里的“环境检查”。

# %% slideshow={"slide_type": "skip"}
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import exercises, explore, samples, schematics, sqnr_db

# %% [markdown] slideshow={"slide_type": "skip"}
# 全部数学运算都实现在 `quantcore` 里。这是一个很小的 Python 包，与数学有关的部分不到两千行，有兴趣的读者可以通读。
#
# 下一行决定控件上的文字用哪种语言。图中的文字统一用英文和符号，以免个别电脑因为缺少中文字体而显示成方框；英文标签的中文释义见附录里的对照表。

# %% slideshow={"slide_type": "skip"}
explore.set_language("zh")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 一个放不下的模型
#
# 许多开源的语言模型有 70 亿个左右的参数，名字里常写作 7B（7 billion）。训练时，参数通常用 32 位浮点数（float32）存放；发布的模型大多改成了 16 位（float16 或 bfloat16）。
#
# 设参数有 $N$ 个，每个占 $b$ 位。8 位是一个字节，所以一共占
#
# $$
# \frac{N\,b}{8} \ \text{bytes}
# $$
# 〔[N1](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 如果把权重量化成 8 位或 4 位的整数，除了整数本身，还要存下整数和实数之间的换算关系。常见的做法是每 128 个权重共用一个 16 位的**缩放因子**（scale），摊到每个权重上是 $16/128 = 0.125$ 位。缩放因子怎样定、为什么要这样分组，[量化参数](03_params.ipynb)一章再讲。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 16 位、8 位、4 位三种存法，连同缩放因子，各占多少 GB？8 GB 的显卡放得下哪几种？这里 1 GB 是 $10^9$ 字节。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先写数，再举手。常见的错误是忘了除以 8，得 112 GB；也有人忘了缩放因子。请一个人说出缩放因子摊到每个权重上是几位。

# %%
exercises.predict("model-size")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 70 亿个参数，每个 16 位，占 $7 \times 10^9 \times 16 / 8$ 字节，即 14 GB，放不下。8 位占 7 GB，加上缩放因子是 7.11 GB；4 位占 3.5 GB，加上缩放因子是 3.61 GB，是 16 位的四分之一稍多。这两种都放得下。
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
parameters, group, card = 7e9, 128, 8e9
print("bits   weights, GB   scales, GB   total, GB   bits/weight   fits in 8 GB")
for bits in (32, 16, 8, 4):
    weights = parameters * bits / 8
    scales = parameters / group * 16 / 8 if bits < 16 else 0
    total = weights + scales
    print(
        f"{bits:4} {weights / 1e9:13.2f} {scales / 1e9:12.2f} {total / 1e9:11.2f}"
        f" {8 * total / parameters:13.3f}   {total <= card}"
    )

# %% [markdown] slideshow={"slide_type": "notes"}
# 放得下权重，还不等于能够运行。计算时的中间结果也要占显存，模型读入的文字越长，占得越多。8 位的权重只给中间结果留下不到 1 GB，4 位留下 4 GB 多。

# %% [markdown] slideshow={"slide_type": "notes"}
# 4 位的整数只有 16 个不同的值，共用一个缩放因子的 128 个权重，量化以后至多有 16 个不同的值。这样的模型为什么还能用？要回答这个问题，得先知道误差有多大，它从哪里来，怎样才能让它变小。我们从一个更小的例子看起。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 第一个滑块
#
# 设数据落在区间 $[-1, 2]$ 里。我们用 $b$ 位的整数去表示这些数据，$b$ 叫**位宽**（bit width）。$b$ 位的整数有 $2^b$ 个，所以量化以后至多有 $2^b$ 个不同的取值。每一个这样的取值叫一个**量化级**（level），相邻两个量化级的距离叫**步长**（step）。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 现在 $b = 3$。如果把 $b$ 调到 4：
#
# 1. 量化级有几个？
# 2. 步长会不会正好是原来的一半？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 让全班先表决：正好一半、小于一半、大于一半。多数会说正好一半。请说“不是”的同学讲理由，引出“间隔比量化级少一个”。

# %%
exercises.predict("step-ratio")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 1. $2^4 = 16$ 个，是原来的两倍。
# 2. 不会，步长比原来的一半还小一点。8 个量化级之间有 7 个间隔，16 个量化级之间有 15 个间隔，所以步长从 $3/7$ 变成 $3/15$，是原来的 $7/15$。位宽越大，这个比就越接近 $1/2$。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【操作】** 拖动“位宽 b”，勾选或取消“对称”。也可以用键盘：按 Tab 键移到控件上，再按方向键。滑块不动的话，看附录里的“滑块不动，怎么办”。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 拖动之前先问：勾上“对称”，哪一边的台阶会变多？拖到 2 位停一下，数一数台阶，再到 8 位，问绿线的高度为什么不变。

# %%
explore.staircase(bits=3, symmetric=False)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **怎么读这张图。**
#
# - 左图：横轴是原来的值 $x$，纵轴是量化以后的值 $\hat x$（读作“x 帽”）。水平的一段是一级台阶，落在同一级台阶里的 $x$，量化以后就无法再区分。虚线是 $\hat x = x$。
# - 右图：绿线是误差 $x - \hat x$ 除以步长。在台阶覆盖的范围里，绿线总在 $\pm\tfrac12$ 之间。超出范围以后，$\hat x$ 不再变化，误差一路增大，绿线走出了图的上下边。把超出范围的值一律压到最外面的量化级，叫**饱和截断**（clipping，也叫限幅、饱和），以后简称截断。
# - 右图的橙线在范围里是 1，在范围外是 0。橙线是训练时用的梯度，到[均匀量化器](04_quantizer.ipynb)一章再讲。
# - 图下的一行数字依次是：缩放因子 $s$（这里就是步长）、零点 $z$、量化级的个数、最大的量化级。

# %% [markdown] slideshow={"slide_type": "notes"}
# 最大的量化级是 2.143，比数据的最大值 2 还大一点。这不是画错了：零点 $z$ 必须是整数，舍入 $z$ 的时候，所有的量化级跟着一起平移，平移的距离不超过半个步长。[量化参数](03_params.ipynb)一章会推导这个距离。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【思考】** 勾上“对称”，步长变大了。量化级的个数没有变，步长为什么变大？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 常见的回答是“量化级少了”。让他们数：级的个数没有变，变的是范围。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 对称量化的正负两侧等宽。数据最小只到 $-1$，台阶却一直铺到 $-2$ 以下，负侧最外面的几级就浪费了，余下的几级只好分得更开。该不该用对称量化，是[量化参数](03_params.ipynb)一章的问题。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# **步长的公式。** 记数据的两端是 $x_{\min}$ 和 $x_{\max}$。$2^b$ 个量化级之间有 $2^b - 1$ 个间隔，所以非对称量化的步长是
#
# $$
# s = \frac{x_{\max} - x_{\min}}{2^b - 1}
# $$
# 〔[P2](06_summary.ipynb#公式总表)〕
#
# 例如 $b = 2$ 时 $s = 3/3 = 1$。运行下面的单元格来验证：左边一列按公式计算，右边一列是 `quantcore` 从数据得到的。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请一个学生在黑板上写出 b = 2 的步长，再运行。

# %% slideshow={"slide_type": "fragment"}
x = torch.tensor([-1.0, 2.0])
print("b   levels   s predicted   s measured")
for b in range(2, 9):
    scheme = QuantizationScheme.from_bits(b)
    params = QuantizationParams.from_tensor(x, scheme, symmetric=False)
    print(f"{b}   {scheme.levels:6}   {3 / (2**b - 1):11.5f}   {params.scale.item():10.5f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 一个数的旅程
#
# 现在跟着一个数走完全程。去的时候，实数 $x$ 变成整数 $q$，$q$ 叫**编码**（code）：
#
# $$
# q = \operatorname{clamp}\!\left(\operatorname{rint}\!\left(\frac{x}{s}\right) + z,\; q_{\min},\; q_{\max}\right)
# $$
# 〔[Q1](06_summary.ipynb#公式总表)〕

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 三个字母写在黑板的一角，整节课不擦：x、q、x̂。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 回来的时候，编码 $q$ 变成实数 $\hat x$，$\hat x$ 叫**重建值**（reconstructed value）：
#
# $$
# \hat x = s\,(q - z)
# $$
# 〔[Q2](06_summary.ipynb#公式总表)〕
#
# 去的一步是**量化**，回来的一步是**反量化**（dequantization）。式子里有两个参数：
#
# - 缩放因子 $s > 0$：编码每增加 1，重建值的增量。$s$ 的单位与 $x$ 相同。
# - **零点**（zero point）$z$：实数 0 对应的编码，是一个整数。

# %% [markdown] slideshow={"slide_type": "notes"}
# 还有两个运算：$\operatorname{rint}$ 把一个数**舍入**（rounding）到最近的整数，恰好在两个整数正中间时取偶数；$\operatorname{clamp}$ 就是截断，把超出 $[q_{\min}, q_{\max}]$ 的编码拉回端点。次序不能换：先舍入，再加零点，最后截断。为什么不能换，[均匀量化器](04_quantizer.ipynb)一章会看到后果。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 下图上面是实数轴，蓝色的一段是数据的范围；下面是整数轴，每个编码正对着它所代表的重建值。红线把实数 0 和零点连在一起，蓝色的箭头是 $x = 0.7$ 的去向。

# %%
schematics.number_line()

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 取 $x = 0.7$，采用上面的 3 位非对称量化器：数据的范围是 $[-1, 2]$，编码从 $-4$ 到 3。拿笔算一算 $s$、$z$、$q$、$\hat x$ 和误差 $e = x - \hat x$ 各是多少。零点用 $z = \operatorname{rint}(q_{\min} - x_{\min}/s)$ 计算，这个式子在[量化参数](03_params.ipynb)一章推导。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 给两分钟纸笔。巡视时看两处：零点写成 +2 的，先加零点再舍入的。

# %%
exercises.predict("code-by-hand")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 缩放因子 $s = 3/7$，零点 $z = \operatorname{rint}(-4 + 7/3) = \operatorname{rint}(-1.67) = -2$。
#
# $x/s = 1.63$，舍入得 2，再加零点得 $q = 0$，没有超出范围。
#
# $\hat x = s\,(0 + 2) = 6/7$，$e = 0.7 - 6/7 \approx -0.157$，绝对值小于 $s/2 \approx 0.214$。
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
s, z, qmin, qmax = 3 / 7, round(-4 + 7 / 3), -4, 3
q = min(max(round(0.7 / s) + z, qmin), qmax)
by_hand = [s, z, q, s * (q - z), 0.7 - s * (q - z)]

params = QuantizationParams.from_tensor(x, QuantizationScheme.INT3, symmetric=False)
three_bits, value = UniformQuantizer(params), torch.tensor(0.7)
measured = [params.scale, params.zero_point, three_bits.quantize(value)]
measured += [three_bits(value), value - three_bits(value)]
for name, a, m in zip(["s", "z", "q", "x̂", "e"], by_hand, measured):
    print(f"{name}   predicted {a:8.4g}   measured {m.item():8.4g}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 三个类，各管一件事
#
# 上面的代码用到了三个类，全课都用这三个类。
#
# | 类 | 存的是什么 | 怎样得到 |
# |:--|:--|:--|
# | `QuantizationScheme`，方案 | 编码可以取哪些整数：$q_{\min}$、$q_{\max}$、位宽、存储类型。方案与数据无关 | 直接写名字，例如 `QuantizationScheme.INT8` |
# | `QuantizationParams`，参数 | 整数怎样对应到实数：$s$、$z$，还有 $q_{\min}$ 和 $q_{\max}$ | `QuantizationParams.from_tensor(x, scheme)` 由数据 `x` 算出 |
# | `UniformQuantizer`，量化器 | 一组参数，和用这组参数做的运算 | `UniformQuantizer(params)` |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 三个类对应三个问题：哪些整数，怎样对应，怎样算。

# %% [markdown] slideshow={"slide_type": "notes"}
# `from_tensor` 默认做对称量化，也就是 `symmetric=True`，此时 $z = 0$；要做非对称量化，必须写明 `symmetric=False`。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 量化器有三种用法：`quantizer.quantize(x)` 返回编码，是整数类型的张量；`quantizer.dequantize(q)` 由编码返回重建值；`quantizer(x)` 把两步合在一起，直接从 $x$ 得到 $\hat x$，叫做**伪量化**（fake quantization），因为返回的仍然是浮点数。

# %% slideshow={"slide_type": "fragment"}
quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, QuantizationScheme.INT4))
codes = quantizer.quantize(x)
print("symmetric by default: z =", quantizer.params.zero_point.item())
print("quantize   ", codes)
print("dequantize ", quantizer.dequantize(codes))
print("both       ", quantizer(x))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 一批数的误差
#
# 一个数的误差是 $e$。一批数的误差要看平均：误差平方的平均值叫**量化噪声功率**（quantization noise power），记作 $\sigma_q^2$（读作“西格玛 q 方”）。这里“功率”就是平方的平均值，信号 $x$ 的功率是 $x^2$ 的平均值。两个功率之比叫**量化信噪比**（signal-to-quantization-noise ratio，SQNR），通常取对数，以分贝（dB）为单位：
#
# $$
# \sigma_q^2 = \frac1N \sum_{i=1}^{N} (x_i - \hat x_i)^2,
# \qquad
# \mathrm{SQNR} = 10 \log_{10} \frac{\frac1N\sum_{i=1}^{N} x_i^2}{\sigma_q^2} \ \text{dB}
# $$
# 〔[N4](06_summary.ipynb#公式总表)〕
#
# SQNR 越大越好。SQNR 每增加 10 dB，噪声功率就减小到原来的十分之一。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 一万个服从标准正态分布的数，做 8 位对称量化，SQNR 大约是 20 dB、40 dB，还是 80 dB？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先猜再算。猜 80 dB 的人多半把功率和幅度弄混了；猜 48 dB 的人读过“每位 6 dB”，请他记住这个数，下一章会用到。

# %%
exercises.predict("sqnr-of-8-bits")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 大约 40 dB，也就是噪声功率约为信号功率的万分之一。
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
w = samples.distribution("normal")
eight_bits = UniformQuantizer(QuantizationParams.from_tensor(w, QuantizationScheme.INT8))
noise = (w - eight_bits(w)).double().square().mean()
by_formula = 10 * torch.log10(w.double().square().mean() / noise)
print(f"SQNR in dB   by the formula {by_formula:.2f}   by sqnr_db {sqnr_db(w, eight_bits(w)):.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 许多资料里说“每位约 6 dB”，照这句话，8 位应该有 48 dB。这里只有 41 dB，差得不少。差在哪里，[信息论基础](01_information_theory.ipynb)一章会算清楚。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 记号
#
# 下面的字母在各章意思相同；一章里临时用到的别的字母，会在用到的地方说明。常用的是这些：
#
# | 记号 | 中文 | English | 含义 |
# |:--|:--|:--|:--|
# | $x$ | 原值 | original value | 量化之前的实数 |
# | $q$ | 编码 | code | 代表 $x$ 的整数，在 $q_{\min}$ 和 $q_{\max}$ 之间 |
# | $\hat x$ | 重建值 | reconstructed value | 由 $q$ 还原出来的实数 |
# | $s$ | 缩放因子 | scale | 编码每增加 1，重建值的增量；单位与 $x$ 相同 |
# | $z$ | 零点 | zero point | 实数 0 对应的编码，是整数 |
# | $b$ | 位宽 | bit width | 一个编码占几位（bit） |
# | $L$ | 量化级的个数 | number of levels | $b$ 位的整数有 $L = 2^b$ 个 |
# | $\Delta$ | 步长，读作“德尔塔” | step | 相邻两个量化级的距离；讲信息论的两章用 $\Delta$，其余各章 $\Delta$ 就是 $s$ |
# | $e$ | 误差 | error | $e = x - \hat x$ |
# | $\sigma_q^2$ | 量化噪声功率 | quantization noise power | $e^2$ 的平均值 |
# | SQNR | 量化信噪比 | signal-to-quantization-noise ratio | 信号功率与噪声功率之比，单位为分贝（dB） |
# | $\operatorname{rint}$ | 舍入，半整数取偶数 | round half to even | 四舍六入五成双；写作 $\operatorname{round}_{\text{away}}$ 的另一种舍入，把半整数舍到离零较远的一侧 |
# | $N$、$K$、$k$ | 个数、内维、序号 | count, inner dimension, index | 数的个数；矩阵乘法中求和的那一维的长度；变动的序号 |
#
# “平均”有两种：对随机变量是数学期望，写作 $\mathbb{E}[e^2]$；对手里的一批数是算术平均。数据足够多时，两者很接近。
#
# 其余的字母在用到的章里会再说明，下表只供查阅。其中只有 $\beta$ 有两个意思，因为两者的英文都是 bias。
#
# | 记号 | 含义 | 用在哪一章 |
# |:--|:--|:--|
# | $\mathrm e$ | 自然对数的底 2.718…，写成正体，与误差 $e$ 相区别；代码里写 `math.e` | [信息论基础](01_information_theory.ipynb) |
# | $f(x)$，$p$，$\varphi$ | 概率密度，概率，特征函数 | [信息论基础](01_information_theory.ipynb) |
# | $A$，$c$，$\Gamma$ | 量化范围的半宽（到最外面的量化区间的外缘），截断点（最外面的量化级在 $\pm c$），负载因子 $A/\sigma$ | [信息论基础](01_information_theory.ipynb) |
# | $H$，$h$，$R$，$D$ | 熵，微分熵，码率，失真 | [率失真](01b_rate_distortion.ipynb) ★ |
# | $w_{\mathrm e}$，$w_{\mathrm m}$，$E$，$T$ | 浮点格式中阶码和尾数的位数，阶码字段和尾数字段 | [量化方案](02_schemes.ipynb) |
# | $\beta$ | 偏置（bias）：浮点格式中是阶码的偏置，网络的一层中是加上去的向量 | [量化方案](02_schemes.ipynb)，本章 |
# | $g$，$\delta$，$D_{\mathrm{KL}}$ | 一组的大小，零的误差，KL 散度 | [量化参数](03_params.ipynb) |
# | $M$，$m$，$n$ | 重新量化的乘数 $M = s_1 s_2 / s_3$，以及表示 $M$ 的两个整数 | [只用整数](04b_integer.ipynb) |
# | $W$，$X$ | 权重矩阵，输入矩阵 | 本章，[只用整数](04b_integer.ipynb) |
# | $F_k$ | 离散傅里叶变换（DFT）的第 $k$ 个系数 | [可视化分析](05_visualization.ipynb) |

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 量化的全景图
#
# 论文和推理引擎里的量化方法有几十种，名字各不相同，可是都在回答同样的五个问题。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 问题 | 选项 | 决定什么 | 在哪一章 |
# |:--|:--|:--|:--|
# | 什么时候量化？ | **训练后量化**（post-training quantization，PTQ）：模型训练好以后再量化，只需要少量数据来定参数。**量化感知训练**（quantization-aware training，QAT）：训练时就在前向计算里插入伪量化，让权重去适应误差 | 要多少数据和算力；位宽很低时还剩多少准确率 | PTQ：[量化参数](03_params.ipynb)；QAT：[均匀量化器](04_quantizer.ipynb) |
# | 哪些量要量化？ | **仅权重**（weight-only）：计算时先把权重反量化成浮点数。**权重加激活**：一层的输入也量化，直接用整数相乘 | 仅权重省存储和内存流量；权重加激活还能省计算 | [信息论基础](01_information_theory.ipynb)；[只用整数](04b_integer.ipynb) |
# | 激活值的范围什么时候定？ | **静态**（static）：事先用一批有代表性的数据定好，运行时不再改。**动态**（dynamic）：运行时按当前的输入现算 | 静态快，但没有见过的输入可能会被截断；动态跟得上输入，但每次都要多算 | [量化参数](03_params.ipynb) |
# | 多少个数共用一个缩放因子？ | **逐张量**（per-tensor）、**逐通道**（per-channel）、**逐组**（per-group） | 缩放因子越多，误差越小，占的字节越多，整数乘法也越难安排 | [量化参数](03_params.ipynb) |
# | 量化级摆在哪里？ | **整数**：等距。**浮点**（FP8、FP4）：越靠近 0 越密。**查表**（如 NF4）：按数据的分布摆放 | 哪一种分布的数据误差小；硬件能不能直接计算 | [量化方案](02_schemes.ipynb) |

# %% [markdown] slideshow={"slide_type": "notes"}
# 对整数格式还有一个小问题：**对称**还是**非对称**？对称时 $z = 0$，整数乘法最省事；非对称多存一个 $z$，却能用满全部编码。这个问题也放在[量化参数](03_params.ipynb)一章。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【思考】** 本章开头的 4 位存法是每 128 个权重共用一个缩放因子，激活值不量化。对五个问题，它各选了什么？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 五个问题念一遍，每个问题请一位同学对开头的例子作答。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 训练后量化（模型是别人训练好的）；仅权重；激活值不量化，所以没有静态、动态之分；逐组，每组 128 个；4 位整数。论文里常把“权重 4 位、激活 16 位”简写成 W4A16。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# **这门课不做什么。** 这门课讲的是量化本身的数学，以及怎样用测量去验证。课程不教某个推理引擎的用法，也不写 GPU 上的低位宽算子，所以不比较真实的推理速度。大语言模型的专门方法（GPTQ、AWQ、SmoothQuant 等）留到[总结](06_summary.ipynb)一章，介绍思路和出处。矢量量化只提到为止；梯度和优化器状态的量化，以及剪枝、蒸馏、低秩分解等其他压缩方法，都不在课程之内。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 课程地图与学习方法

# %% [markdown]
# ### 需要的准备
#
# - 会用 Python，见过 torch 的张量。
# - 大学一年级的微积分：导数、积分、等比级数。
# - 概率论：期望、方差、概率密度、正态分布。
# - 线性代数：会做矩阵乘法。

# %% [markdown] slideshow={"slide_type": "notes"}
# 不需要学过信息论。深度学习方面要用的内容，写在本章的“网络的最少知识”里；自动求导在[均匀量化器](04_quantizer.ipynb)一章说明。
#
# 傅里叶级数、特征函数、微分熵等超出了这个准备。用到这些知识的小节或整章，标题末尾有 ★。带 ★ 的内容可以跳过，那里有一句话说明结论是什么。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 十个笔记本，八次课
#
# | 章 | 这一章回答的问题 |
# |:--|:--|
# | 00 开始 | 一个放不下的模型，怎样才放得下？这门课讲什么，不讲什么？ |
# | [01 信息论基础](01_information_theory.ipynb) | 量化丢掉了什么，代价有多大？$\Delta^2/12$ 和“每位 6 dB”从哪里来，什么时候不成立？ |
# | [01b 率失真](01b_rate_distortion.ipynb) ★ | 给定位数，误差最小能到多少？量化器离这个极限还有多远？ |
# | [02 量化方案](02_schemes.ipynb) | 有哪些整数可以用？4 位的编码怎样打包进字节？浮点格式的量化级摆在哪里？ |
# | [03 量化参数](03_params.ipynb) | 缩放因子和零点怎么定？一个离群值会造成多大的损害？ |
# | [04 均匀量化器](04_quantizer.ipynb) | 舍入、加零点、截断，为什么是这个顺序？阶梯函数的梯度从哪里来？ |
# | [04b 只用整数](04b_integer.ipynb) | 只有整数，怎样完成一层的计算？各家的实现为什么会差 1？ |
# | [05 可视化分析](05_visualization.ipynb) | 看一个张量的图，能不能说出它的量化哪里出了毛病？ |
# | [05b 一个真实的网络](05b_network.ipynb) | 把整个网络量化，准确率丢在哪里，怎样找回来？ |
# | [06 总结](06_summary.ipynb) | 全课的公式，你还写得出来吗？接下来读什么？ |

# %% [markdown] slideshow={"slide_type": "skip"}
# 一次课是两节连上，共 90 分钟：
#
# | 课次 | 内容 |
# |:--|:--|
# | 1 | 00，01 的第 1 节 |
# | 2 | 01 的其余各节 |
# | 3 | 02 |
# | 4 | 03 |
# | 5 | 04 |
# | 6 | 04b |
# | 7 | 05 |
# | 8 | 05b；06 是考试，留作课后作业 |
# | 选学 | 01b ★ |
#
# 第 8 次课也可以略去 05b 的第 7 到第 9 节，留出最后 20 分钟，当堂开始做 06 的试卷。

# %% [markdown] slideshow={"slide_type": "skip"}
# 各章按顺序读最省力，因为后面的记号都在前面引入。遇到不认识的词，查[术语表](glossary.ipynb)；想看原始文献，查[参考文献](references.ipynb)。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 预测，操作，推导，验证
#
# 每讲一个新的结论，大多走这样四步。

# %% [markdown]
# 1. **预测**。先写下自己的答案，一个数或者一句话，再往下看。猜错了没有关系，答案越具体，记得越牢。
# 2. **操作**。拖动滑块，看看自己的预测对不对。有的小节没有滑块，这一步就换成运行代码。
# 3. **推导**。每一步都不长，边读边在纸上写一遍。
# 4. **验证**。推导之后的单元格比较两列：左列输出公式的预测值（`predicted`），右列输出实测值（`measured`）。

# %% [markdown] slideshow={"slide_type": "notes"}
# 带方括号的标签是留给你的问题：预测凭直觉，计算用纸笔，思考要说明理由，操作是动手拖一拖。答案折叠在“参考答案”里，先写下自己的，再点开。

# %% [markdown] slideshow={"slide_type": "notes"}
# 两列一致，说明什么？说明在这一批数据上、在这些条件下，公式的预测和实测没有看得见的差别。两列一致不能证明公式在别的条件下也成立，也不说明你已经学会了。能够不看代码、自己算出左列，才算学会。两列有时不一致，那里多半是公式的前提被打破了，也正是最值得读的地方。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 网络的最少知识
#
# 课程里的例子来自真正的神经网络。读懂这些例子，只需要下面几点。

# %% [markdown]
# **全连接层。** 输入是一个长度为 $K$ 的向量 $x$，输出是
#
# $$
# y = W x + \beta
# $$
#
# $W$ 是**权重**（weight）矩阵，$\beta$ 是**偏置**（bias）向量。$W$ 的每一行算出一个输出，所以说一行对应一个**输出通道**（output channel）。`torch.nn.Linear` 的权重形状是 `(输出, 输入)`，输出通道在第 0 维。

# %% [markdown] slideshow={"slide_type": "notes"}
# **激活函数**（activation function）接在一层的后面，对每个数单独计算。最常见的是 **ReLU**：$\max(0, x)$，负数变成 0，正数不变。一层的输出叫**激活值**（activation）。权重在训练以后就固定了；激活值随输入变化，所以激活值的范围要用数据去估计。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **卷积层。** 输入是一组图像，每一幅叫一个输入通道。权重的形状是 `(输出通道, 输入通道, 高, 宽)`。在图像的每一个位置上，取出一小块（patch），展平成一个向量，再和每个输出通道的权重做内积。可见卷积也是矩阵乘法：一个输出通道的全部权重展平成 $W$ 的一行，一小块图像展平成 $X$ 的一列，输出就是 $W X$。图像的边上取不满一块，通常先在四周补上几圈 0，这叫**填充**（padding）。

# %% [markdown] slideshow={"slide_type": "notes"}
# **转置卷积**（transposed convolution）用来把图像放大。它的权重形状是 `(输入通道, 输出通道, 高, 宽)`，输出通道在第 1 维。逐通道量化时，弄错这一维是常见的错误。

# %% [markdown] slideshow={"slide_type": "notes"}
# **分类。** 网络的最后一层有多少个输出，就有多少个类别。输出最大的那一个，就是网络的答案。手写数字有十类，所以最后一层有十个输出。答对的比例叫**准确率**（accuracy）。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 一个卷积层的权重形状是 `(32, 16, 3, 3)`。写成矩阵 $W$，有几行几列？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 这一页问的是形状，答错的人多半忘了乘 3 × 3。

# %%
exercises.predict("convolution-columns")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 32 行，每行对应一个输出通道；$16 \times 3 \times 3 = 144$ 列，也就是一小块图像展平以后的长度。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# 用一个小例子验证：2 个输入通道，3 个输出通道，图像是 4 行 4 列，四周填充一圈 0。左列把图像的小块展平，做矩阵乘法；右列是 torch 的卷积。

# %%
from torch.nn import functional

image = torch.arange(32.0).view(2, 4, 4)  # channels, rows, columns
weight = torch.arange(-27.0, 27.0).view(3, 2, 3, 3)  # output, input, rows, columns
padded = functional.pad(image, (1, 1, 1, 1))
places = [(i, j) for i in range(4) for j in range(4)]
patches = torch.stack([padded[:, i : i + 3, j : j + 3].flatten() for i, j in places], dim=1)
predicted = weight.flatten(1) @ patches
measured = functional.conv2d(image[None], weight, padding=1)[0].flatten(1)
print("W", tuple(weight.flatten(1).shape), "  X", tuple(patches.shape))
for channel in range(3):
    p, m = predicted[channel, 5], measured[channel, 5]
    print(f"channel {channel}, row 1, column 1:   predicted {p:6.0f}   measured {m:6.0f}")
print("largest difference:", (predicted - measured).abs().max().item())

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 三种层都有 16 个输入通道、32 个输出通道。下面输出的三个形状里，32 各在第几维？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先举手，再看输出。转置卷积是全课里最容易弄错的一维，第 3 章还会回来。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 全连接层和卷积层的输出通道在第 0 维，转置卷积的在第 1 维。
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
layers = torch.nn.Linear(16, 32), torch.nn.Conv2d(16, 32, 3), torch.nn.ConvTranspose2d(16, 32, 3)
for layer in layers:
    print(f"{type(layer).__name__:16}", tuple(layer.weight.shape))

# %% [markdown] slideshow={"slide_type": "skip"}
# ## 练习
#
# 这些练习留到课后做。每一题先写答案，再运行下一个单元格检查；检查不通过时，会给出最小的反例和提示。还没有动手的题，检查只会说“还没有完成”。

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（6 分钟，难度 1/3）写出 `my_journey(x, s, z, qmin, qmax)`：`x` 和 `s` 是浮点数，零点 `z` 和编码的两端 `qmin`、`qmax` 是整数，返回 `x` 的重建值 $\hat x$，也是一个数。

# %% slideshow={"slide_type": "skip"}
def my_journey(x, s, z, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("a-numbers-journey", my_journey)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_journey(x, s, z, qmin, qmax):
#     q = min(max(round(x / s) + z, qmin), qmax)
#     return s * (q - z)
# ```
#
# 次序不能变：舍入，加零点，截断；反量化时减去同一个零点。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（6 分钟，难度 2/3）体温计的量程是 35 ℃ 到 42 ℃，要求误差不超过 0.0625 ℃，至少几位？写出一般的 `my_bits(lo, hi, error)`：最外面的两个量化级放在 `lo` 和 `hi` 上，误差不超过 `error`，返回最少的位数。

# %% slideshow={"slide_type": "skip"}
import math


def my_bits(lo, hi, error):
    return ...  # your code; math.ceil rounds up

# %% slideshow={"slide_type": "skip"}
exercises.check("bits-for-an-error", my_bits)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# import math
#
#
# def my_bits(lo, hi, error):
#     gaps = math.ceil((hi - lo) / (2 * error))
#     return gaps.bit_length()
# ```
#
# 误差不超过半个步长，所以步长最大是 `2 * error`。`gaps` 个间隔有 `gaps + 1` 级，编码从 0 到 `gaps`，`gaps.bit_length()` 就是最大的编码所需的位数。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（4 分钟，难度 1/3）写出 `my_gigabytes(parameters, bits, group, scale_bits)`：每个权重 `bits` 位，每 `group` 个权重共用一个 `scale_bits` 位的缩放因子，返回一共多少 GB（$10^9$ 字节）。

# %% slideshow={"slide_type": "skip"}
def my_gigabytes(parameters, bits, group, scale_bits):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("model-gigabytes", my_gigabytes)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_gigabytes(parameters, bits, group, scale_bits):
#     bits_per_weight = bits + scale_bits / group
#     return parameters * bits_per_weight / 8 / 1e9
# ```
#
# 缩放因子由 `group` 个权重分摊；位换成字节，除以 8。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（5 分钟，难度 1/3）不用 `sqnr_db`，写出 `my_sqnr(x, x_hat)`：`x` 和 `x_hat` 是同样形状的浮点张量，返回 SQNR，单位 dB。对数可以用 `torch.log10`。

# %% slideshow={"slide_type": "skip"}
def my_sqnr(x, x_hat):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("sqnr-by-hand", my_sqnr)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_sqnr(x, x_hat):
#     signal, noise = x.square().sum(), (x - x_hat).square().sum()
#     return 10 * torch.log10(signal / noise)
# ```
#
# 比值里，求和与平均一样。两者都是功率，所以用 $10\log_{10}$。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 讨论
#
# **【思考】** 用 3 位存体温，存考试成绩，你会怎样选范围？两种数据的选法为什么不同？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 讨论 5 分钟，参考 discussion.md。

# %% [markdown] slideshow={"slide_type": "skip"}
# 全课做到了哪里，运行下面的单元格就知道：

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 小结
#
# - 量化先选定有限个整数，再用这些整数去近似表示范围内的实数。量化的式子是 $q = \operatorname{clamp}(\operatorname{rint}(x/s) + z,\, q_{\min},\, q_{\max})$，反量化的式子是 $\hat x = s\,(q - z)$。
# - $N$ 个 $b$ 位的编码占 $N b / 8$ 个字节，另外还要算上缩放因子。70 亿个参数从 16 位量化到 4 位，由 14 GB 减到约 3.6 GB。
# - $b$ 位整数有 $2^b$ 个量化级，$2^b - 1$ 个间隔；非对称量化的步长等于数据范围的宽度除以间隔的个数。
# - 在量化级覆盖的范围里，误差的绝对值不超过半个步长；超出范围以后，误差随超出的距离增大，没有上限。
# - 描述一种量化方法要回答五个问题：什么时候量化，量化哪些量，范围什么时候定，多少个数共用一个缩放因子，量化级摆在哪里。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下一章：[信息论基础](01_information_theory.ipynb)。

# %% [markdown] slideshow={"slide_type": "skip"}
# ## 附录
#
# ### 环境检查
#
# 选中下面的单元格，按 Shift + Enter 运行。它读取仓库里的 `pyproject.toml`，把课程要求的版本范围和这台电脑上安装的版本逐个比较。

# %% slideshow={"slide_type": "skip"}
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

project = tomllib.loads(Path("../../pyproject.toml").read_text("utf-8"))["project"]
for need in map(Requirement, project["dependencies"] + project["optional-dependencies"]["lab"]):
    try:
        found = version(need.name)
        ok = found in need.specifier
        print(f"{need.name:14}", "OK" if ok else f"DIFFERS  {found} is not {need.specifier}")
    except PackageNotFoundError:
        print(f"{need.name:14}", "MISSING")

# %% [markdown] slideshow={"slide_type": "skip"}
# 如果每一行都是 `OK`，环境就没有问题。否则查这张表：
#
# | 看到的 | 意思 | 怎么办 |
# |:--|:--|:--|
# | 个别几行 `MISSING` | 安装没有做完 | 关掉 JupyterLab，删掉仓库根目录下的 `.venv` 文件夹，再运行 `make lab` |
# | 几乎全是 `MISSING` | 笔记本连到了另一个 Python | 用 `make lab` 打开课程；菜单 Kernel → Change Kernel，选 Python 3 (ipykernel) |
# | `DIFFERS` | 已经安装，但版本不在要求的范围里 | 同第一行 |
# | `No module named 'tomllib'` | Python 太旧 | 安装 Python 3.11 或更新的版本 |
# | `No module named 'quantcore'` | 同第二行 | 同第二行 |
# | `No such file or directory` | 笔记本被单独复制了出来 | 在完整的仓库里打开它 |
#
# 不用 `make` 也可以：在自己的虚拟环境里运行 `pip install -c constraints.txt -e ".[lab]"`，安装的是同样的版本。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 滑块不动，怎么办
#
# | 现象 | 原因 | 办法 |
# |:--|:--|:--|
# | 代码下面什么也没有 | 这个单元格还没有运行过 | 选中这个单元格，按 Shift + Enter；全部运行用菜单 Run → Run All Cells |
# | 有图，没有滑块，图下有一行字，说运行以后图就能动 | 这是上次保存下来的图。图存得下来，控件存不下来，要等内核（kernel）来计算 | 先用菜单 Run → Run All Above Selected Cell 运行前面的单元格，再运行这一个 |
# | `NameError: name 'explore' is not defined` | 前面导入 `explore` 的单元格还没有运行；内核重启以后也是这样 | 同样先运行前面的单元格，再运行这一个 |
# | 图的上方写着“内核重新启动过，这幅图已经不能动了” | 图和控件属于原来的内核，它已经停止了 | 同样先运行前面的单元格，再运行这一个 |
# | 运行过了，还是只有图 | 网页里没有安装控件 | 看环境检查里 `ipywidgets` 那一行；安装好以后重启 JupyterLab，再刷新网页 |
# | 出现 `Error displaying widget` | 笔记本不是用 `make lab` 打开和保存的，留下了已经失效的控件 | 同“有图，没有滑块”那一行 |
# | 在代码托管网站上打开，只有图 | 网页上没有运行中的内核，无法计算 | 下载整个仓库，运行 `make lab` |
# | 滑块能动，图不变 | 内核在忙，或者已经停止 | 看右上角的内核状态；菜单 Kernel → Restart Kernel and Run All Cells |
# | 图下出现一行“出错了” | 计算时出了错，原因就写在那里 | 按照提示修改；改不好就重启内核，从头运行 |

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 你的副本
#
# `make lab` 打开的是 `my/zh/` 里的笔记本。它们是从 `notebooks/zh/` 复制来的，输出已经清空，归你一个人使用。先预测，再运行，答案这时才会出现。
#
# - **随便改，随便存。** 这个文件夹不归 git 管理。你在里面改什么、存什么，都不影响仓库，也不影响 `make test`。`make lab` 只补上缺少的副本，从不覆盖你改过的。
# - **想重来。** 先在 JupyterLab 里关掉那一章，再打开终端，在仓库的根目录里运行 `make reset CHAPTER=03_params`，你会得到一份新的副本。原来那份还在，改名叫 `03_params-old.ipynb`。
# - **课程更新了。** 再运行一次 `make lab`。没有动过的副本会换成新的一章。改过或者运行后保存过的，原样留下，新的一章放在它旁边，名叫 `03_params-new.ipynb`，终端里会写明是哪几章。
# - **第二天再打开。** 文字、代码、输出和图都存下来了。滑块要等你重新运行那个单元格，才会出现。
# - **想看运行过的样子。** 在左边的文件列表里回到根目录，打开 `notebooks/zh/` 里同名的笔记本。那里只看，不要运行。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 我的数字不一样
#
# `notebooks/zh/` 里的笔记本保存着输出，是在另一台电脑上计算的。拿你的副本和它对照，有的输出应该相同，有的不会相同。
#
# | 输出 | 会不会变 | 说明 |
# |:--|:--|:--|
# | 笔记本里输出的数和表 | 不会，除了下面两行 | 输出只保留几位有效数字，电脑之间的差别远小于所显示的位数 |
# | 时间、速度，以及由时间算出的倍数 | 会 | 这些数反映的是你的机器 |
# | 写明取决于机器的单元格 | 会 | 代码里有一行注释说明原因 |
# | 浮点数的最后几位（没有输出的部分） | 会 | 求和的先后次序不同，舍入误差就不同；有的随机数函数也随处理器的指令集变化，种子相同也不例外 |
# | 个别的编码（没有逐个输出的） | 极少数会 | $x/s$ 恰好在两个整数正中间附近时，最后一位的差别就能让编码差 1 |
#
# 凡是测时间或者取决于机器的单元格，代码里都有一行英文注释说明结果为什么会变。其余的单元格，`make test` 都会重新运行，逐个字符和保存的输出比较；图不比较像素，只比较说明图的文字。`make test` 运行的是 `notebooks/zh/` 里的笔记本，和你的副本无关。
#
# 浮点数的最后一位为什么会变？
#
# **【预测】** 后面的单元格输出三行，从上到下各是 `True` 还是 `False`？

# %% slideshow={"slide_type": "skip"}
exercises.predict("three-lines")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# 第一行是 `False`：浮点加法不满足结合律，换一个次序，结果就差一点点。处理器的核数、指令集，以及 GPU，都会改变求和的次序。
#
# 第二行是 `True`：两边的差别极小，只看三位有效数字就看不出来。
#
# 第三行是 `True`：在同一台电脑上，同一个种子产生同样的数。
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "skip"}
print((0.1 + 0.2) + 0.3 == 0.1 + (0.2 + 0.3))
print(f"{(0.1 + 0.2) + 0.3:.3g}" == f"{0.1 + (0.2 + 0.3):.3g}")
print(torch.equal(samples.distribution("normal", seed=0), samples.distribution("normal", seed=0)))

# %% [markdown] slideshow={"slide_type": "skip"}
# 如果“不会变”的数变了，按这个顺序检查：
#
# 1. 菜单 Kernel → Restart Kernel and Run All Cells。单元格没有按顺序运行，是最常见的原因。
# 2. 回到环境检查，看有没有 `DIFFERS`。
# 3. 你改过这一章的代码吗？运行 `make reset CHAPTER=03_params`（换成这一章的名字），把新的副本从头运行一遍，再比较。
# 4. 运行 `make test`。如果测试通过，你的电脑和课程就没有问题，差别出在你改过的地方；如果没有通过，测试会说明是哪个单元格不同。
# 5. 新的副本也不同，或者 `make test` 没有通过，那就是这门课的错。请到仓库里报告，附上那个单元格的输出和 `pip list` 的结果。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 没有网络
#
# 安装完成以后，全课不需要网络。数据都在本地：照片和手写数字随 scikit-learn 一起安装，和弦由程序合成，其余的是用种子生成的随机数。笔记本就在仓库里，图和滑块也不从网上取任何东西，JupyterLab 也不去查询新闻和更新。
#
# 安装要用一次网络，最大的一个包是 `torch`。如果下载较慢，可以换成离你近的镜像源，许多高校和云服务商都有，地址写在它们的主页上：
#
# ```
# PIP_INDEX_URL=镜像的地址 make lab
# ```
#
# 如果教室里没有网络，先在一台有网络的、系统和 Python 版本都相同的电脑上，在仓库的根目录里把包下载到一个文件夹：
#
# ```
# python3 -m pip download -d wheels -c constraints.txt "setuptools>=77" ".[lab]"
# ```
#
# 这些包有几百 MB；如果 `torch` 是带 CUDA 的，就有好几个 GB。把整个仓库连同 `wheels` 文件夹一起复制到教室的电脑上，让 pip 只用这个文件夹：
#
# ```
# PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels make lab
# ```
#
# 这两条命令，前一条下载的正是后一条要安装的，`make test` 会照着做一遍。在 Windows 上，前一条命令里的 `python3` 写成 `python`。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 图中英文的对照表
#
# | 图中的英文 | 中文 | 图中的英文 | 中文 |
# |:--|:--|:--|:--|
# | distribution | 分布 | density | 概率密度 |
# | value | 值 | levels | 量化级 |
# | original | 原来的 | quantized | 量化后的 |
# | error | 误差 | noise power | 噪声功率 |
# | staircase | 阶梯 | gradient | 梯度 |
# | real, integer | 实数，整数 | range of the data | 数据的范围 |
# | step | 步长；训练图中是训练的步数 | clip | 截断点 |
# | granular, overload | 颗粒噪声，过载噪声 | bit width | 位宽 |
# | weights | 权重 | row, column | 行，列 |
# | scale | 缩放因子 | zero point | 零点 |
# | per tensor, per channel, per group | 逐张量，逐通道，逐组 | range | 范围 |
# | predicted | 预测值 | measured | 实测值 |
# | waveform, amplitude | 波形，振幅 | spectrum, frequency | 频谱，频率 |
# | bits per value | 每个值的位数 | rate, distortion | 码率，失真 |
# | codes | 编码 | loss | 损失 |
# | forward, backward | 前向，反向 | clamp | 截断 |
# | clipped | 被截断的比例 | used | 用到的编码的个数 |
# | optimal, even | 最优的，等距的 | limit | 极限 |
