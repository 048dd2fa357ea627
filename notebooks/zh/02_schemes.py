# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 量化方案：有哪些编码可以用，怎样打包成字节
#
# 一位同学把 70 亿个 float32 权重量化成 INT8，预计文件从 28 GB 缩小到 7 GB。程序没有报错，逐个检查，每个值都是 $-128$ 到 $127$ 之间的整数，可是存盘以后，文件仍然是 28 GB。他换成整数类型，再改用 INT4，文件是 7 GB，而不是 3.5 GB。字节用到哪里去了？
#
# 要回答这个问题，只需把编码数清楚：一共有多少个编码，最小、最大各是多少，占几位，存成文件占多少字节。至于一个编码代表多大的实数，由缩放因子（scale）和零点（zero point）决定，那是[下一章](03_params.ipynb)的内容。
#
# 数数看似容易，常见写法（许多教程里的代码）却有三处计数错误：把除数算成了 0，把位宽少算了一位，把存储量放大到四倍。我们会逐一遇到这三处错误，先看后果，再改正。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生先答：70 亿个权重存成 4 位，文件该有多大？写在黑板上。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **学完这一章，你能：**
#
# - 对任何一种整数方案，写出它的范围、级的个数和位宽；
# - 说清楚 $2^b$、$2^b - 1$、$2^{b-1}$、$2^{b-1} - 1$ 各数的是什么；
# - 在有符号和无符号、8 位和 4 位之间换算编码；
# - 自己写出 4 位编码的打包与解包，并算出文件真正的大小；
# - 说出 FP16、bfloat16、FP8、FP4、NF4 的重建值在哪里，各适合什么样的数据，连同缩放因子每个权重占几位。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 部分 | 时间 |
# |:--|:--|
# | 1 整数网格 | 26 分钟 |
# | 2 编码的换算 | 10 分钟 |
# | 3 打包成字节 | 20 分钟 |
# | 4 不等距的网格 | 30 分钟 |
# | 练习 | 30 分钟 |
# | 小结 | 4 分钟 |
# | ★ 选读 | 5 分钟 |

# %% slideshow={"slide_type": "skip"}
import io
import math

import numpy as np
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import entropy, exercises, explore, float_levels, lloyd_max, nf4_levels
from quantcore import pack_int4, samples, sqnr_db, unpack_int4
from quantcore.quantizer import fit
from quantcore.schemes import format_levels, rint, round_to_levels
from quantcore.sheet import BLUE, GRAY, GREEN, RED, Sheet

# %% slideshow={"slide_type": "skip"}
explore.set_language("zh")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 整数网格
#
# ### 范围、级的个数、位宽
#
# 这一节所说的[**量化方案**](glossary.ipynb#量化)（quantization scheme）是从 $q_{\min}$ 到 $q_{\max}$ 的一组连续整数，用三个量来描述：
#
# - **位宽**（bit width）$b$：一个编码占几位；
# - **级的个数**（number of levels）$L$：一共有多少个编码；
# - **范围**（range）：最小的编码和最大的编码。
#
# 一位有 0 和 1 两种状态，$b$ 位就有 $2^b$ 种。把这些位记作 $d_{b-1} \dots d_1 d_0$。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 把“级的个数”“间隔”“位宽”三个词分开写在黑板上，今天的错都出在混用它们。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **无符号**（unsigned）整数就是普通的二进制数，第 $i$ 位的权是 $2^i$：
#
# $$
# q = \sum_{i=0}^{b-1} d_i\, 2^i
# $$
#
# 各位全为 0 时最小，全为 1 时最大。由等比数列求和：
#
# $$
# q_{\min} = 0, \qquad q_{\max} = 1 + 2 + \dots + 2^{b-1} = 2^b - 1
# $$
# 〔[S2](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "subslide"}
# **有符号**（signed）整数用**补码**（two's complement）。补码只改一处：最高位的权变成负的。
#
# $$
# q = -d_{b-1}\, 2^{b-1} + \sum_{i=0}^{b-2} d_i\, 2^i
# $$
#
# 最高位取 1、其余取 0 时最小；反过来最大：
#
# $$
# q_{\min} = -2^{b-1}, \qquad q_{\max} = 2^{b-1} - 1
# $$
# 〔[S1](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 还有一种更直观的写法：最高位只管正负号，其余的位是绝对值，叫**原码**（sign and magnitude）。我们列出 3 位的 8 种状态和三种读法：

# %% tags=["fold"] slideshow={"slide_type": "fragment"}
print("bits   unsigned   two's complement   sign and magnitude")
for pattern in range(8):
    top, rest = pattern >> 2, pattern & 0b11
    sign = "-" if top else "+"
    print(f"{pattern:03b} {4 * top + rest:9} {-4 * top + rest:14} {sign:>17}{rest}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 同样的 8 种状态，读法不同，值就不同。**位的排列本身没有正负号，正负号是读法给的。**

# %% [markdown] slideshow={"slide_type": "skip"}
# 现在验证范围的公式。取缩放因子 1、零点 0，量化 $-40000$ 到 $39999$ 的整数。超出范围的值会被[**饱和截断**](glossary.ipynb#量化器与整数运算)（clipping，也叫限幅、饱和）到两端，以下简称截断。下面的辅助函数按给定的参数造一个量化器；以后的 `fit(x, b)` 则从数据求出参数，再造 $b$ 位的量化器。

# %% slideshow={"slide_type": "skip"}
def integer_quantizer(scale, zero, qmin, qmax):
    return UniformQuantizer(QuantizationParams(torch.tensor(scale), torch.tensor(zero), qmin, qmax))

# %% tags=["fold"] slideshow={"slide_type": "skip"}
sweep = torch.arange(-40_000.0, 40_000.0)
print("          levels           qmin             qmax         (predicted, measured)")
for scheme in (s for s in QuantizationScheme if s.levels == 2**s.bit_width):
    b = scheme.bit_width
    ends = (-(2 ** (b - 1)), 2 ** (b - 1) - 1) if scheme.signed else (0, 2**b - 1)
    codes = integer_quantizer(1.0, 0, *scheme.value).quantize(sweep)
    reached = codes.min().item(), codes.max().item()
    print(f"{scheme.name:5} {2**b:7} {len(codes.unique()):6} {ends[0]:8} {reached[0]:6}", end="")
    print(f" {ends[1]:8} {reached[1]:6}   {codes.dtype}")

# %% [markdown] slideshow={"slide_type": "skip"}
# 最后一列是存放一个编码用的类型。torch 没有能做普通运算的 4 位类型，INT4 的编码只好放在 `int8` 里，一个编码占一整个字节，第 3 节再算这笔账。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 补码为什么不对称
#
# 级的个数是偶数，0 占去一个，余下奇数个，正负无法平分。补码里 0 的最高位是 0，所以负的编码多一个。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 问：在 int8 里取 -128 的相反数，得几？多数人答 128。

# %% [markdown] slideshow={"slide_type": "notes"}
# 原码是对称的，代价是有两个 0，即表里的 `+0` 和 `-0`。补码只有一个 0，而且加法不用管符号：两个编码按二进制相加，丢掉进位（即对 $2^b$ 取余数），只要和仍在范围里，结果就是对的。

# %% [markdown]
# **【思考】** 在 `int8` 里，$-(-128)$ 是多少？$\lvert -128 \rvert$ 呢？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 都是 $-128$。$+128$ 不在范围里，对 256 取余数以后又回到 $-128$。绝对值得到了负数，而且没有任何报错。
#
# </details>

# %% tags=["predict", "fold"] slideshow={"slide_type": "fragment"}
int8_codes = torch.tensor([-128, -127, -1, 127], dtype=torch.int8)
for name, value in (("q", int8_codes), ("-q", -int8_codes), ("|q|", int8_codes.abs())):
    print(f"{name:3}", *(f"{v:6}" for v in value.tolist()))

# %% [markdown] slideshow={"slide_type": "notes"}
# 所以[**对称**](glossary.ipynb#量化参数)（symmetric）量化常常弃用 $-2^{b-1}$ 这个编码，只用 $-127$ 到 $127$，这叫**受限范围**（restricted range）。好处有两个。第一，$q$ 能用，$-q$ 就一定能用。第二，乘积小一点，有时正好够用：有的程序先在 16 位里加两个乘积，再累加到 32 位（[Jacob 等，2018](references.ipynb)）。下面比较两个乘积之和能否放进 `int16`。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
limit = torch.iinfo(torch.int16).max
for a, b in ((-128, -128), (-127, -128)):
    print(f"2 · ({a}) · ({b}) = {2 * a * b}   int16 ends at {limit}   fits: {2 * a * b <= limit}")

# %% [markdown] slideshow={"slide_type": "skip"}
# 这里相乘的是编码。减去零点以后的差要占 9 位，`int16` 连一个乘积也放不下，见[只用整数](04b_integer.ipynb)一章。
#
# 这门课的有符号方案保留 $-2^{b-1}$。缩放因子取自最大绝对值、又不截断任何数据时，没有数据用到这个编码；范围取得比数据窄时，被截断的负值会用到它。

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 除数该取几
#
# **【预测】** 8 位，把数据的最大绝对值换算成缩放因子：$s = \max\lvert x\rvert/N$。不截断任何数据，$N$ 该取 127、128、255 还是 256？有符号和无符号一样吗？请填入有符号的 $N$。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 四个候选各有人举手。请每一派说出自己数的是什么。

# %%
exercises.predict("divisor")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 有符号取 127，无符号取 255。理由见下文。
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# 先弄清每个数数的是什么：
#
# | 式子 | $b = 8$ | 它数的是 |
# |:--|:--|:--|
# | $2^b$ | 256 | 级的个数 |
# | $2^b - 1$ | 255 | 相邻两级之间的间隔数；也是无符号的最大编码 |
# | $2^{b-1}$ | 128 | 有符号的最小编码的绝对值 |
# | $2^{b-1} - 1$ | 127 | 有符号的最大编码 |

# %% [markdown] slideshow={"slide_type": "notes"}
# 对称量化的零点是 0，[重建值](glossary.ipynb#量化)是 $\hat x = s\,q$。要让最大绝对值恰好落在最大的编码上，就要 $\max\lvert x\rvert = s\,q_{\max}$，所以 $N = q_{\max}$：**有符号取 127，无符号取 255**。这是不截断任何数据的规则。

# %% [markdown] slideshow={"slide_type": "skip"}
# 取别的数会怎样？我们看[**量化信噪比**](glossary.ipynb#信息论)（SQNR）。设 $x$ 在 $[-1, 1]$ 上均匀分布，信号功率是 $1/3$。没有截断时，量化噪声功率是 $s^2/12 = 1/(12N^2)$，于是
#
# $$
# \mathrm{SQNR} = 10\log_{10}\frac{1/3}{1/(12N^2)} = 10\log_{10}(4N^2)\ \text{dB}
# $$
#
# 无符号用 $\lvert x\rvert$ 来试，功率相同，公式也相同。下表并非每一行都与公式一致。

# %% tags=["predict"] slideshow={"slide_type": "skip"}
uniform = samples.distribution("uniform", 10**6) / 3**0.5
print("scheme      N   predicted   measured, dB")
for scheme, data in ((QuantizationScheme.INT8, uniform), (QuantizationScheme.UINT8, uniform.abs())):
    for n in (127, 127.5, 128, 255, 256):
        measured = sqnr_db(data, integer_quantizer(1 / n, 0, *scheme.value)(data))
        print(f"{scheme.name:6} {n:6} {10 * math.log10(4 * n**2):11.2f} {measured:10.2f}")
print(f"INT8 with N = 255, clipping alone: {10 * math.log10(8):.2f} dB")

# %% [markdown] slideshow={"slide_type": "notes"}
# - **INT8 除以 255**：最大的编码只有 127，能表示的范围只到约 $\pm\tfrac12$。范围以外的值全被截断，误差是 $\lvert x\rvert - \tfrac12$，均方值是 $\int_{1/2}^{1}(x - \tfrac12)^2\,\mathrm{d}x = \tfrac1{24}$，SQNR 只剩 $10\log_{10} 8$，就是最后一行。
# - **UINT8 除以 127 或 128**：没有截断，但一半的编码用不到，白丢一位，也就是约 6 dB。
# - **INT8 除以 127.5 或 128**：步长细了一点，除以 128 时最大的值略被截断，几乎打平。这两个除数也都是通行的约定。8 位时差别可以忽略，2 位时很大，[下一章](03_params.ipynb)再比较。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 常见写法的除数
#
# 许多教程的代码想用一行兼顾所有方案：
#
# ```
# q_range = min(abs(scheme.qmin), scheme.qmax)
# ```
#
# 对 UINT8，这一行得几？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先不运行，请学生口算对无符号的结果，再看报错。

# %% slideshow={"slide_type": "fragment"}
relu = samples.distribution("relu")
for scheme in (QuantizationScheme.INT8, QuantizationScheme.INT4, QuantizationScheme.UINT8):
    q_range = min(abs(scheme.qmin), scheme.qmax)
    print(f"{scheme.name:5}   q_range {q_range:3}   ", end="")
    try:
        print(f"scale {relu.abs().max().item() / q_range:.4f}")
    except ZeroDivisionError as error:
        print("ZeroDivisionError:", error)

# %% [markdown] slideshow={"slide_type": "notes"}
# 这是第一处计数错误：无符号方案的 $q_{\min}$ 是 0，除数就成了 0。ReLU（把负数换成 0 的函数）之后的数据没有负值，本来最适合无符号网格（[Nagel 等，2021](references.ipynb)），偏偏不能用。

# %% [markdown] slideshow={"slide_type": "skip"}
# 不截断的规则分两种情形：有符号 $s = \max\lvert x\rvert / (2^{b-1}-1)$；无符号 $s = \max x / (2^b-1)$，而且数据不能有负值。零点为 0 的无符号网格根本无法表示负数，与其悄悄截断，不如拒绝。（PyTorch 的“对称 uint8”是另一回事，它取 $z = 128$，所以接受负数。）

# %% tags=["fold"] slideshow={"slide_type": "skip"}
params = QuantizationParams.from_tensor(relu, QuantizationScheme.UINT8)
print(f"scale: predicted {relu.max().item() / 255:.5f}, measured {params.scale.item():.5f}")
try:
    QuantizationParams.from_tensor(relu - 1, QuantizationScheme.UINT8)
except ValueError as error:
    print("ValueError:", str(error).split(";")[-1].strip())

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 级的个数不是 2 的幂
#
# 常见写法从级的个数反推位宽：`int(np.log2(levels))`。
#
# **【计算】** 受限范围的 INT8 有 255 级，三值权重（ternary）$\{-1, 0, 1\}$ 有 3 级。它们各要几位？常见写法各得几位？请填入三值权重所需的位数。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 三级要几位？猜 1 位的人用了向下取整。

# %%
exercises.predict("ternary-bits")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $b$ 位最多区分 $2^b$ 级，所以 $L$ 级的位宽是满足 $2^b \ge L$ 的最小整数：
#
# $$
# b = \lceil \log_2 L \rceil
# $$
#
# 255 级要 8 位，3 级要 2 位。`int` 向下取整，得到 7 位和 1 位，放不下全部编码。级的个数是 2 的幂时，两种算法结果相同，错误不易发现。
#
# </details>

# %% tags=["predict", "fold"] slideshow={"slide_type": "fragment"}
print("levels   log2   int(log2)   holds   bits needed   hold")
for levels in (256, 255, 16, 15, 3):
    bits, needed = int(np.log2(levels)), math.ceil(math.log2(levels))
    print(f"{levels:6} {math.log2(levels):6.2f} {bits:11} {2**bits:7} {needed:13} {2**needed:6}")
print("quantcore, 3 levels:", QuantizationScheme.TERNARY.bit_width, "bits")

# %% [markdown] slideshow={"slide_type": "notes"}
# 这是第二处计数错误：255 级按 7 位存放，只容得下 128 个编码。`quantcore` 不取对数：$L - 1$ 写成二进制有几位，就要几位，全是整数运算。
#
# 表的第二列是一个编码所能携带的信息的上限，即各编码等概率时的[**熵**](glossary.ipynb#信息论)（entropy）。三值权重至多携带 1.58 比特，定长存储却占 2 位。把编码合在一起浪费较少：5 个三值编码有 $3^5 = 243$ 种组合，一个字节就放得下，每个占 1.6 位。变长的哈夫曼编码（Huffman code）也能省，但是每个编码至少要 1 位，见[率失真](01b_rate_distortion.ipynb)一章。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 移动滑块
#
# 图的上行是编码，下行是编码的值。粗竖线是零点，橙黄色的横条是数据的范围 $[-1, 2]$。
#
# **【操作】** 每一步都先写下预测，再移动。
#
# 1. 现在是 4 位、有符号、对称。有几个编码用不到？（图下的 `unused`）
# 2. 取消“对称”，还有没有用不到的编码？零点移到哪里去了？
# 3. 保持 4 位，在对称和非对称（asymmetric）之间切换。步长之比大约是多少？
# 4. 取消“有符号”、勾上“对称”。数据的范围为什么变成了 $[0, 2]$？

# %% slideshow={"slide_type": "subslide"}
explore.grid(bits=4, signed=True, symmetric=True)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 拖到 2 位、对称，让学生数编码的竖线，再问用不到的编码在哪一端。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 1. 对称网格的左右两侧一样宽，数据却只到 $-1$。$s = 2/7$，$-1/s = -3.5$，所以 $-8$ 到 $-5$ 这 4 个编码一定用不到，$-4$ 刚好在边上。
# 2. 没有了。零点移到 $-3$：0 的左边有 5 个编码，右边有 10 个，正好对应 $-1$ 和 $2$。
# 3. 对称时 $s = 2/7$，非对称时 $s = 3/15$，两者之比是 $10/7$，约 1.43。数据越偏，差得越多。
# 4. 零点为 0 的无符号网格里没有负值，$[-1, 2]$ 会被拒绝，图里就换了数据。
#
# </details>

# %% tags=["fold"] slideshow={"slide_type": "skip"}
print("             s predicted, measured   z predicted, measured")
ends = torch.tensor([-1.0, 2.0])
for name, s, z in (("symmetric", 2 / 7, 0), ("asymmetric", 3 / 15, round(-8 + 1 / 0.2))):
    p = fit(ends, 4, name == "symmetric").params
    print(f"{name:10} {s:12.4f} {p.scale.item():9.4f} {z:13} {p.zero_point.item():9}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 编码的换算
#
# ### 有符号与无符号
#
# 有的硬件只会算 `uint8`，有的只会算 `int8`。同一份权重要在两者之间换算，怎么换？
#
# $\hat x = s\,(q - z)$ 只取决于 $q$ 与 $z$ 的**差**。$q$ 和 $z$ 同加一个数，$\hat x$ 不变：
#
# $$
# q_u = q + 2^{b-1}, \qquad z_u = z + 2^{b-1}
# $$

# %% [markdown] slideshow={"slide_type": "notes"}
# 编码 $-128 \dots 127$ 就变成 $0 \dots 255$。从位上看更简单。把补码写成 $q = -d\,2^{b-1} + r$，其中 $d$ 是最高位，$r$ 是其余各位的值：
#
# $$
# q + 2^{b-1} = (1 - d)\,2^{b-1} + r
# $$
#
# 其余的位不动，只有**最高位翻转**，这是一次异或（XOR）。

# %% [markdown] slideshow={"slide_type": "notes"}
# 如果什么也不做，把 `int8` 的位直接当作 `uint8` 来读，结果在下表的最后一列。

# %% tags=["fold"] slideshow={"slide_type": "fragment"}
q = torch.tensor([-128, -3, -1, 0, 5, 127], dtype=torch.int8)
pattern = q.view(torch.uint8)
print("   q       bits   q + 128   top bit flipped   bits read as uint8")
for row in zip(q.tolist(), pattern.tolist(), (q.int() + 128).tolist(), (pattern ^ 0x80).tolist()):
    print(f"{row[0]:4}   {row[1]:08b} {row[2]:9} {row[3]:17} {row[1]:20}")

# %% [markdown] slideshow={"slide_type": "skip"}
# 中间两列处处相等。最后一列不行：非负的编码不变，负的却都加了 256，大小的次序乱了。
#
# 我们再用数据验证。正确换算以后，重建值一个都不变；直接重读，信号就毁掉了。（注意 `q.int()`：在 `int8` 里加 128 会溢出绕回。）

# %% tags=["fold"] slideshow={"slide_type": "skip"}
laplace = samples.distribution("laplace")
int8 = fit(laplace, 8, symmetric=False)
uint8 = integer_quantizer(int8.params.scale.item(), int8.params.zero_point.item() + 128, 0, 255)
q_laplace = int8.quantize(laplace)
converted = uint8.dequantize((q_laplace.int() + 128).to(torch.uint8))
reread = uint8.dequantize(q_laplace.view(torch.uint8))
print("x_hat is the same:", torch.equal(converted, int8.dequantize(q_laplace)))
print(f"converted {sqnr_db(laplace, converted):.2f} dB, reread {sqnr_db(laplace, reread):.2f} dB")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 从 8 位到 4 位
#
# 4 位换成 8 位不费事：每个 INT4 编码都是合法的 INT8 编码，$s$、$z$ 照旧，什么也不丢。
#
# 8 位换成 4 位一定有损失。先看 $z = 0$ 的情形。最省事的选择是 $s_4 = 16\,s_8$，换算就只剩下除以 16。（按不截断的规则，应当是 $127/7 \approx 18.1$ 倍。取 16 倍的代价是：$q \ge 120$ 的编码舍入后是 8，会被截断到 7。）做法有两种：
#
# - 右移 4 位：`q >> 4`，等于 $\lfloor q/16 \rfloor$，即向下取整；
# - 除以 16，**舍入**（rounding）到最近的整数，再截断到 $[-8, 7]$。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先比较直接右移与舍入，猜噪声差几倍。猜两倍的最多。

# %% [markdown]
# **【预测】** 右移的噪声功率是舍入的几倍？能不能不改编码，只改解码，把多出的噪声去掉？

# %%
exercises.predict("shift-noise")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 约 3.6 倍。能去掉：解码时给每个值加上 $7.5\,s_8$。推导见下文。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# 我们以 $s_8^2$ 为单位来算。设 $q$ 除以 16 的余数 0 到 15 同样多，截断的编码很少。右移丢掉的就是余数 $k$，舍入丢掉的是 $-7$ 到 $8$。原来 8 位量化的误差与丢掉的余数不相关，功率 $1/12$ 直接相加：
#
# $$
# D_{\text{shift}} = \frac{1}{16}\sum_{k=0}^{15} k^2 + \frac{1}{12} = 7.5^2 + \frac{16^2}{12}, \qquad
# D_{\text{round}} = \frac{1}{16}\sum_{k=-7}^{8} k^2 + \frac{1}{12}
# $$
#
# $D_{\text{shift}}$ 写成了“均值的平方加方差”：右移使数值平均偏低 $7.5\,s_8$，余下的正是步长为 16 的量化噪声。所以右移损失的信息并不比舍入多，只是引入了**偏差**（bias）。解码时加回去，取 $\hat x = s_8\,(16\,q_4 + 7.5)$，偏差就消失了。

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
sources = [127 * x / x.abs().max() for x in (samples.distribution("normal", 10**6), uniform)]
rounded = sum(k * k for k in range(-7, 9)) / 16 + 1 / 12
print("noise / s8^2   predicted   normal   uniform   mean error, normal")
for name, predicted, way in (
    ("shift", 7.5**2 + 16**2 / 12, lambda u: 16 * (rint(u).int() >> 4)),
    ("shift, + 7.5", 16**2 / 12, lambda u: 16 * (rint(u).int() >> 4) + 7.5),
    ("round", rounded, lambda u: 16 * rint(rint(u) / 16).clamp(-8, 7)),
    ("direct", 16**2 / 12, lambda u: 16 * rint(u / 16).clamp(-8, 7)),
):
    errors = [(u - way(u)).double() for u in sources]
    normal_noise, uniform_noise = (e.square().mean().item() for e in errors)
    print(f"{name:12} {predicted:11.1f} {normal_noise:8.1f} {uniform_noise:9.1f}", end="")
    print(f" {errors[0].mean().item():12.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# - 直接右移，误差几乎全部偏向一侧，噪声功率是舍入时的 3.6 倍，即损失约 5.6 dB。
# - 解码时加回 $7.5\,s_8$，右移就至少与直接量化一样好。真正的代价是 0 不再是重建值，网格由中平型变成了[中升型](01b_rate_distortion.ipynb)。
# - 先量化到 8 位、再舍入到 4 位，比直接量化略差，因为舍入了两次。
# - 均匀数据占满两端，舍入和直接量化都有截断，噪声比公式大。

# %% [markdown] slideshow={"slide_type": "notes"}
# 偏差比同样功率的噪声更值得提防：$n$ 个值相加，偏差之和按 $n$ 增长，互不相关的噪声按 $\sqrt n$ 增长。

# %% [markdown] slideshow={"slide_type": "skip"}
# 有零点时，先减零点，再换算：
#
# $$
# q_4 = \operatorname{clamp}\!\left(\operatorname{rint}\frac{q - z}{16} + z_4,\; -8,\; 7\right)
# $$
#
# 这里 rint 表示舍入到最近的整数（半整数的规则见[均匀量化器](04_quantizer.ipynb)一章），$z_4$ 可以取 $\operatorname{rint}(z/16)$。如果对 $q$、$z$ 分别舍入，两次舍入的误差不会抵消，使所有值都偏向一侧，最多偏半个步长：

# %% slideshow={"slide_type": "skip"}
shifted = samples.distribution("normal") + 1.8
asymmetric = fit(shifted, 8, symmetric=False)
q8 = asymmetric.quantize(shifted).int()
s8, z8 = asymmetric.params.scale, asymmetric.params.zero_point
z4 = rint(z8 / 16)
print("z8 =", z8.item(), "  z4 =", int(z4))
for name, q4 in (("q and z apart", rint(q8 / 16)), ("q - z", rint((q8 - z8) / 16) + z4)):
    x_hat = 16 * s8 * (q4.clamp(-8, 7) - z4)
    off = (shifted - x_hat).mean() / (16 * s8)
    print(f"{name:13}   {sqnr_db(shifted, x_hat):5.2f} dB   mean error {off:z.2f} s4")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 打包成字节
#
# ### 两个 4 位编码合成一个字节
#
# 字节是内存读写的最小单位。4 位是半个字节，叫**半字节**（nibble）。要真正省下一半，就得把两个编码**打包**（pack）进一个字节，用的时候再**解包**（unpack）。
#
# 负数取补码的低 4 位，也就是对 16 取余数。ONNX（在各框架之间交换模型的文件标准）规定**第一个编码放低 4 位**，第二个放高 4 位（[ONNX，2024](references.ipynb)）：
#
# $$
# \text{byte} = (q_0 \bmod 16) + 16\,(q_1 \bmod 16)
# $$
# 〔[S3](06_summary.ipynb#公式总表)〕

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 板书一个字节，分成两半，请学生填 -3 和 5。

# %% [markdown]
# 解包时先取出 $\text{byte} \bmod 16$ 和 $\lfloor \text{byte}/16 \rfloor$，再恢复符号。设取出的数是 $r$，$r \ge 8$ 说明最高位是 1，编码本来是负数：
#
# $$
# q = \begin{cases} r, & r < 8 \\ r - 16, & r \ge 8 \end{cases}
# $$

# %% [markdown] slideshow={"slide_type": "skip"}
# 写成代码，打包和解包各两三行。`& 0xF` 保留低 4 位，`<< 4` 乘以 16，`[0::2]` 是第 0、2、4、… 个：

# %% slideshow={"slide_type": "skip"}
def pack(codes):  # an even number of int8 codes
    nibbles = (codes & 0xF).to(torch.uint8)
    return nibbles[0::2] | nibbles[1::2] << 4


def unpack(packed):
    nibbles = torch.stack([packed & 0xF, packed >> 4], dim=1).flatten().to(torch.int8)
    return torch.where(nibbles < 8, nibbles, nibbles - 16)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 编码 $-3$ 和 $5$ 打包成的字节，十六进制是多少？五个编码 $1, -2, 7, -8, 3$ 打包以后是几个字节，各是多少？（下面选的是五个编码的字节，用十六进制写。）

# %%
exercises.predict("pack-five-codes")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $-3 \bmod 16 = 13$，十六进制是 D，放低位；5 放高位。字节是 `0x5D`。存放时 $-3$ 在先，按书写习惯却是 5 在先，最容易在这里弄反。
#
# 五个编码要 $\lceil 5/2 \rceil = 3$ 个字节，最后半个字节空着，填 0：`0xE1`、`0x87`、`0x03`。
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
pair = torch.tensor([-3, 5], dtype=torch.int8)
five = torch.tensor([1, -2, 7, -8, 3], dtype=torch.int8)
print(f"{pack(pair).item():#04x}", unpack(pack(pair)).tolist())
print("five codes:", [f"{byte:#04x}" for byte in pack_int4(five).tolist()])
print("read as 6: ", unpack_int4(pack_int4(five), (6,)).tolist())

# %% [markdown] slideshow={"slide_type": "notes"}
# 光看字节，分不清是 5 个编码还是 6 个，所以**形状要另存**。`quantcore` 的 `unpack_int4` 因此要求给出形状。我们做一次穷举检验：对全部 256 个字节值，逐个解包、再打包，并与 `quantcore` 比较。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
every = torch.arange(256, dtype=torch.int32).to(torch.uint8)
print("unpack then pack:    ", torch.equal(pack(unpack(every)), every))
print("same as unpack_int4: ", torch.equal(unpack(every), unpack_int4(every, (512,))))
print("same as pack_int4:   ", torch.equal(pack(unpack(every)), pack_int4(unpack(every))))

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 解包出错会怎样
#
# 打包的次序只是约定。别的库有的把第一个编码放高位，有的先把编码加 8 变成无符号再打包，有的把 8 个编码放进一个 `int32`。弄错约定，程序不会报错。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先猜准确率。全班会笑，因为乱读比乱猜还差；请他们想为什么。

# %% [markdown] slideshow={"slide_type": "notes"}
# 取一个训练好的手写数字识别网络（网络的名词见[网络的最少知识](00_start.ipynb#网络的最少知识)）。`network[5]` 是最后一层：它把 512 个特征乘以 10 行的权重矩阵，加上偏置（bias），得到 10 个得分，得分最高的那一个（argmax）就是网络认出的数字。我们只把这一层的权重量化成 INT4 并打包，再用三种读法解包，其余各层不变。

# %% [markdown]
# **【预测】** 下面两种读错，网络的准确率还剩多少？（一共 10 个数字，乱猜是 10%。）
#
# 1. 高低位弄反：相邻两个权重交换了位置。
# 2. 忘了恢复符号：负数读成 8 到 15。

# %% slideshow={"slide_type": "skip"}
network = samples.digits_network()
w, bias = network[5].weight, network[5].bias
int4 = fit(w, 4)
q_w = int4.quantize(w)
packed = pack_int4(q_w)
print(tuple(w.shape), "weights;", q_w.dtype, q_w.nbytes, "bytes; packed", packed.nbytes)

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
_, _, images, labels = samples.digits()
features, s = network[:5](images), int4.params.scale
readings = {
    "float32": w,
    "int4": s * unpack_int4(packed, w.shape),
    "nibbles swapped": s * unpack_int4((packed >> 4) | (packed << 4), w.shape),
    "sign forgotten": s * unpack_int4(packed, w.shape, signed=False),
}
for name, weight in readings.items():
    correct = ((features @ weight.T + bias).argmax(1) == labels).double().mean().item()
    print(f"{name:15}   SQNR {sqnr_db(w, weight):6.1f} dB   correct {correct:4.0%}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 解包正确时，仅把最后一层量化成 INT4，准确率几乎不变。解包出错，网络就废了，第二种连乱猜都不如，而且没有一行报错。SQNR 低于 0 dB 的意思是噪声比信号还大。
#
# 表里还有一件值得留意的事：权重的 SQNR 只有 16.5 dB 左右，准确率却几乎没有损失。**SQNR 衡量的是数值的误差，不是任务的损失**。SQNR 低到负数，任务几乎必然受损；SQNR 相差一两分贝，任务的好坏却不一定随之改变，必须另外测量。下文比较格式时用的也都是 SQNR。
#
# 每写一对打包、解包函数，都要先做两项测试：全部 256 个字节值的往返，以及一个写死的例子（如上面的 `0x5D`）。只做往返测试，发现不了自己的约定与别人正好相反。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 数一数真正的字节
#
# $n$ 个编码，每个**存储**占 $b$ 位，一共占 $\lceil n\,b/8 \rceil$ 字节。〔[N1](06_summary.ipynb#公式总表)〕这里的 $b$ 是存储的位宽，不一定等于方案的位宽。
#
# 常见写法的 `quantize` 在舍入、截断之后直接返回结果，没有换类型：

# %% slideshow={"slide_type": "skip"}
scale = w.abs().max() / 127
tutorial_codes = torch.clamp(torch.round(w / scale), -128, 127)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 这一层有 5120 个权重。下面五个张量各存成一个文件，各占多少字节？（`np.save` 的文件头是 128 字节。）
#
# 1. 原来的 float32 权重；
# 2. 常见写法的“INT8”编码 `tutorial_codes`；
# 3. `quantcore` 的 INT8 编码；
# 4. `quantcore` 的 INT4 编码，没有打包；
# 5. 打包的 INT4 编码。
#
# 把第 2、4、5 个文件按大小从小到大排列。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 五个文件让学生排序，每组一张纸条。最常见的错是以为第 2 个已经变小了。

# %%
exercises.predict("file-sizes")

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def file_bytes(tensor):
    buffer = io.BytesIO()
    np.save(buffer, tensor.numpy())
    return buffer.tell()

# %% tags=["predict", "fold"] slideshow={"slide_type": "fragment"}
files = {
    "1 float32 weights": (w, 32),
    "2 tutorial's INT8": (tutorial_codes, 32),
    "3 INT8 codes": (fit(w, 8).quantize(w), 8),
    "4 INT4 codes": (q_w, 8),
    "5 INT4 codes, packed": (packed, 4),
}
print("                       dtype           predicted   measured   7 · 10^9 weights, GB")
for name, (tensor, b) in files.items():
    predicted, measured = math.ceil(w.numel() * b / 8) + 128, file_bytes(tensor)
    print(f"{name:22} {str(tensor.dtype):15} {predicted:9} {measured:10} {7 * b / 8:12.1f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# 开头的问题有了答案：
#
# - 第 2 行是第三处计数错误：值都是整数，类型还是 float32，一个字节也没省。**编码是不是 INT8，看类型，不看值。**
# - 第 4 行：INT4 的编码放在 `int8` 里，和 INT8 一样大。方案是 4 位，存储是 8 位。
# - 第 5 行：打包以后，才是 float32 的八分之一（多出的一点是文件头）。

# %% [markdown] slideshow={"slide_type": "skip"}
# 文件头、形状、缩放因子也要占地方。整层共用一个缩放因子，只多 4 个字节；每组权重各有一个缩放因子时，缩放因子就多得多，第 4 节会把它们算进每个权重的位数。
#
# 最后确认：从文件读回来，解包，编码一个不差。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
buffer = io.BytesIO()
np.save(buffer, packed.numpy())
buffer.seek(0)
restored = unpack_int4(torch.from_numpy(np.load(buffer)), w.shape)
print("codes restored exactly:", torch.equal(restored, q_w), restored.dtype)

# %% [markdown] slideshow={"slide_type": "notes"}
# **【思考】** 3 位的编码怎样打包？为什么实际中 4 位比 3 位常见得多？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $3n$ 要能被 8 整除，最少是 8 个编码放进 3 个字节。第 3 个和第 6 个编码会跨过字节的边界，解包时要从两个字节里各取几位再拼起来。4 位编码从不跨界，一次移位、一次按位与就能解包。
#
# 也有简单的办法：10 个 3 位编码放进 32 位，空 2 位，每个编码实际占 3.2 位。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 不等距的网格
#
# 整数网格是等距的。有没有必要等距？位数相同，把重建值换个地方安排，就成了别的[**数的格式**](glossary.ipynb#数的格式)（number format）。
#
# ### 小浮点数
#
# 浮点数由 1 位符号、$w_{\mathrm e}$ 位**指数**（exponent，也叫阶码）、$w_{\mathrm m}$ 位**尾数**（mantissa）组成。FP8 和 FP4 的名字里写着这两个位数：E2M1 有 2 位指数、1 位尾数，加上符号共 4 位，所以叫 FP4。把指数字段读作无符号整数 $E$，尾数字段读作无符号整数 $T$，偏置（bias）$\mathrm{bias} = 2^{w_{\mathrm e}-1} - 1$：
#
# $$
# \lvert x \rvert = \begin{cases}
# 2^{\,E - \mathrm{bias}}\left(1 + \dfrac{T}{2^{w_{\mathrm m}}}\right), & E \ge 1 \\[2ex]
# 2^{\,1 - \mathrm{bias}} \cdot \dfrac{T}{2^{w_{\mathrm m}}}, & E = 0
# \end{cases}
# $$
# 〔[S4](06_summary.ipynb#公式总表)〕

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 从学生熟悉的 float16 和 bfloat16 说起，再缩到 4 位。

# %% [markdown] slideshow={"slide_type": "notes"}
# 第一行称为规格化数（normal）。第二行称为**非规格化数**（subnormal）：没有前面的 1，所以能表示 0；指数是 $1-\mathrm{bias}$ 而不是 $0-\mathrm{bias}$，所以与规格化数衔接得上（[IEEE，2019](references.ipynb)；[Open Compute Project，2023](references.ipynb)）。

# %% slideshow={"slide_type": "skip"}
def float_value(E, T, w_e, w_m):
    bias = 2 ** (w_e - 1) - 1
    return 2.0 ** (E - bias) * (1 + T / 2**w_m) if E else 2.0 ** (1 - bias) * T / 2**w_m

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** E2M1 一共有 8 个非负值。写出来，看相邻两个值的间隔怎样变化。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请一人把非负值画在数轴上，先画 0.5 到 1，再画 1 到 2。

# %% tags=["predict", "fold"] slideshow={"slide_type": "fragment"}
fp4 = [float_value(E, T, 2, 1) for E in range(4) for T in range(2)]
print("by the formula", fp4)
print("quantcore     ", [v for v in float_levels(2, 1).tolist() if v >= 0])
print("different values:", len(float_levels(2, 1)), " codes:", 2**4)

# %% [markdown] slideshow={"slide_type": "notes"}
# 间隔从 0.5 到 1 再到 2，在 2 和 4 处翻倍。浮点数的符号是单独一位，相当于原码，所以 $+0$ 和 $-0$ 占两个编码，16 个编码只有 15 个值。

# %% [markdown] slideshow={"slide_type": "notes"}
# 常用的浮点格式都用这个公式，只是两个位数不同。FP16 是 E5M10。**bfloat16** 是 E8M7，指数和 float32 一样多，所以范围也和 float32 一样大。FP8 有两种（[Micikevicius 等，2022](references.ipynb)）：E5M2 和 FP16、bfloat16 一样遵循 IEEE 754 的习惯，指数全为 1 的编码留给无穷大和 NaN；E4M3 没有无穷大，指数全为 1 的编码仍表示普通数值，仅当尾数也全为 1 时才表示 NaN，所以最大值是 $2^{8} \cdot 1.75$。我们把每一种格式的全部正编码都用公式算一遍，与 torch 的类型比较：

# %% tags=["fold"] slideshow={"slide_type": "subslide"}
FLOATS = {
    "FP16": (torch.float16, 5, 10), "bfloat16": (torch.bfloat16, 8, 7),
    "FP8 E5M2": (torch.float8_e5m2, 5, 2), "FP8 E4M3": (torch.float8_e4m3fn, 4, 3),
}
print("           w_e  w_m   least above 0     greatest   the formula gives every value")
for name, (dtype, w_e, w_m) in FLOATS.items():
    patterns = torch.arange(2 ** (w_e + w_m))
    storage = torch.uint8 if dtype.itemsize == 1 else torch.int16
    theirs = patterns.to(storage).view(dtype).double()
    ours = [float_value(c >> w_m, c % 2**w_m, w_e, w_m) for c in patterns.tolist()]
    finite = theirs.isfinite()
    same = torch.equal(torch.tensor(ours, dtype=torch.float64)[finite], theirs[finite])
    least, greatest = theirs[1].log2().item(), theirs[finite][-1].item()
    print(f"{name:9} {w_e:4} {w_m:4} {'2^':>10}{least:4.0f} {greatest:14.5g}   {same}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 相对精度与绝对精度
#
# 在相邻两个 2 的幂之间的区间 $[2^k, 2^{k+1})$（binade）内，浮点数的步长固定，$\Delta = 2^{k-w_{\mathrm m}}$。到下一个区间，步长和数值一起翻倍。所以**浮点数的误差与数值成比例，整数的误差处处一样**。
#
# 我们把这句话变成一个数。记 $\lvert x\rvert = 2^{k+r}$，$0 \le r < 1$，则 $\Delta = \lvert x\rvert\, 2^{-r-w_{\mathrm m}}$，误差功率与 $x^2$ 之比是
#
# $$
# \frac{\Delta^2/12}{x^2} = \frac{4^{-w_{\mathrm m}}}{12}\, 4^{-r}, \qquad
# \int_0^1 4^{-r}\,\mathrm{d}r = \frac{3}{8\ln 2}
# $$

# %% [markdown]
# 数据分布在好几个这样的区间里时，$r$ 近似均匀，而且与 $\lvert x\rvert$ 的大小无关，可以取平均：
#
# $$
# \mathrm{SQNR} \approx 10\log_{10}\!\left(4^{w_{\mathrm m}} \cdot 32\ln 2\right) = 6.02\,w_{\mathrm m} + 13.46 \ \text{dB}
# $$
# 〔[S5](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 这个值与信号的大小无关，只看尾数的位数。指数的位数管的是另一件事：这样的精度能保持在多大的范围里。

# %% slideshow={"slide_type": "skip"}
gaussian = samples.distribution("normal", 10**6).double()
print("format     predicted   measured, dB")
for name, (dtype, _, w_m) in FLOATS.items():
    predicted = 10 * math.log10(4**w_m * 32 * math.log(2))
    print(f"{name:9} {predicted:10.1f} {sqnr_db(gaussian, gaussian.to(dtype).double()):10.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 同样是 16 位，bfloat16 用 3 位尾数换了 3 位指数，精度低 18 dB，范围却大得多。
#
# 再看信号大小变化时会怎样。把高斯数据缩放到正好占满每种格式，然后数据逐次减半，**缩放因子不跟着变**。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 数据缩小到 $1/16$，INT8 的 SQNR 降低多少分贝？FP8 呢？请填入 INT8 的分贝数。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 两种格式各有支持者。请他们先说理由，再看图。

# %%
exercises.predict("shrunk-data")

# %% tags=["fold"] slideshow={"slide_type": "skip"}
fitted, shrinks = gaussian[:100_000] / gaussian[:100_000].abs().max(), range(0, 21)
sheet = Sheet(panels=2, height=3.6)
sheet.frame(0, "step at each size", "|x|, largest = 1", "step", (2e-5, 1), (1e-6, 0.5))
sheet.axes[0].set(xscale="log", yscale="log")
sheet.frame(1, "data shrink, the scale stays", "k: data times 2^(-k)", "dB", (0, 20), (-2, 45))
sheet.axes[1].set_xticks(range(0, 21, 4))
found = {}
for name, color in (("INT8", BLUE), ("FP8 E4M3", RED), ("FP8 E5M2", GREEN)):
    levels = format_levels(name) / format_levels(name).abs().max()
    xs = [fitted / 2**k for k in shrinks]
    found[name] = [sqnr_db(x, round_to_levels(x, levels)) for x in xs]
    above = levels[levels >= 0]
    sheet.line(0, name, above[:-1], above.diff(), color=color, drawstyle="steps-post")
    sheet.line(1, name, shrinks, found[name], color=color, marker="o", markersize=3)

# %% tags=["predict", "fold"] slideshow={"slide_type": "subslide"}
sheet.legend(0, loc="lower right")
sheet.legend(1)
sheet.show("schemes-shrink", **{f"{name[-4:]}_{k}": f"{v[k]:.1f}" for name, v in found.items()
                                for k in (0, 4)})

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 问：平的那条线什么时候也会掉下去？（小到只剩非规格化数的时候。）

# %% tags=["predict", "fold"] slideshow={"slide_type": "skip"}
print("k = 0 to 4   predicted   measured   (dB lost)")
for name, predicted in (("INT8", 20 * math.log10(16)), ("FP8 E4M3", 0), ("FP8 E5M2", 0)):
    print(f"{name:10} {predicted:11.1f} {found[name][0] - found[name][4]:z10.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# - **INT8**：数据每缩小一半，SQNR 降低 6.02 dB，直到全部变成 0。缩放因子合适时（$k = 0$），INT8 比 FP8 高出一截。
# - **FP8**：在很大的范围里不受影响，缩得太小、落进非规格化数以后，SQNR 才下降。E5M2 的平台低 6 dB，但长得多。
#
# 所以，整数格式需要精心选择缩放因子，而 FP8 在很大的范围里对它不敏感。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### INT8 与 FP8，一个数分胜负
#
# 两条公式放在一起，就得到一个判据。整数的 SQNR 是 $6.02\,b + 4.77 - 20\log_{10}\Gamma$〔[N5](06_summary.ipynb#公式总表)〕，其中 $\Gamma = A/\sigma$ 是范围的半宽与标准差之比。令两者相等：
#
# $$
# 20\log_{10}\Gamma = 6.02\,(b - w_{\mathrm m}) + 4.77 - 13.46
# $$
# 〔[S6](06_summary.ipynb#公式总表)〕

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生代入均匀、高斯、拉普拉斯三种数据，判断胜负。

# %% [markdown]
# 代入 $b = 8$、$w_{\mathrm m} = 3$，得 $\Gamma \approx 11.8$。范围取到最大绝对值时，**最大绝对值不到标准差的 11.8 倍，INT8 更好；超过 11.8 倍，FP8 E4M3 更好**。下面让同一份高斯数据的范围逐次加宽，范围的两端是 $\pm\Gamma\sigma$。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
gamma = math.sqrt(3 * 4 ** (8 - 3) / (32 * math.log(2)))
e4m3 = 10 * math.log10(4**3 * 32 * math.log(2))
print(f"equal at Gamma = {gamma:.1f}")
print("Gamma   INT8 predicted, measured   E4M3 predicted, measured, dB")
for g in (6, 8, gamma, 16, 32):
    step, unit = 2 * g / 256, g / 448
    integers = step * rint(gaussian / step).clamp(-128, 127)
    floats = unit * (gaussian / unit).to(torch.float8_e4m3fn).double()
    predicted = 10 * math.log10(3 * 4**8 / g**2)
    print(f"{g:5.1f} {predicted:14.1f} {sqnr_db(gaussian, integers):10.1f}", end="")
    print(f" {e4m3:15.1f} {sqnr_db(gaussian, floats):10.1f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 按分布安排重建值
#
# **NF4**（4-bit NormalFloat）不再遵循浮点格式的规则，而是直接按高斯分布安排 16 个重建值（[Dettmers 等，2023](references.ipynb)）。想法是让每个编码被用到的概率相等。神经网络的权重接近高斯，所以取高斯的**分位数**（quantile）。

# %% [markdown]
# 0 必须是一个重建值，而偶数个重建值不能既对称又含 0。NF4 让两边不一样多：负的 7 个，正的 8 个，加上 0 共 16 个。论文用文字描述构造，并列出数值；下面的构造取自 bitsandbytes 库的 `create_normal_map`。设 $\Phi^{-1}$ 是标准高斯的分位数函数（torch 里的 `ndtri`），$\delta = \tfrac12\left(\tfrac1{32} + \tfrac1{30}\right)$：

# %% [markdown] slideshow={"slide_type": "notes"}
# - 正的一边，概率从 $\tfrac12$ 到 $1 - \delta$ 分成 8 等份，取各份右端点的分位数；
# - 负的一边，同一段分成 7 等份，取出来再变号；
# - 都除以最大的一个，使两端正好是 $\pm1$。

# %% [markdown] slideshow={"slide_type": "notes"}
# 源码没有说明 $\delta$ 的来历，可以这样理解：16 个等概率的编码各占 $\tfrac1{16}$，最外面一份的中点离端点 $\tfrac1{32}$；15 个编码时是 $\tfrac1{30}$；$\delta$ 是两者的平均。

# %% slideshow={"slide_type": "skip"}
delta = (1 / 32 + 1 / 30) / 2
ninth, eighth = (torch.linspace(0.5, 1 - delta, n, dtype=torch.float64)[1:] for n in (9, 8))
right, left = torch.special.ndtri(ninth), -torch.special.ndtri(eighth).flip(0)
constructed = torch.cat([left, torch.zeros(1), right]) / right[-1]
published = [
    -1.0, -0.6961928, -0.5250731, -0.3949175, -0.2844414, -0.1847734, -0.0910500, 0.0,
    0.0795803, 0.1609302, 0.2461123, 0.3379152, 0.4407098, 0.5626170, 0.7229568, 1.0,
]
for half in (slice(8), slice(8, 16)):
    print("constructed", *(f"{v:6.2f}" for v in constructed[half].tolist()))
    print("published  ", *(f"{v:6.2f}" for v in published[half]))
print(f"largest difference: {(constructed - torch.tensor(published)).abs().max():.0e}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# 下面是三种 4 位格式，都缩放到最大绝对值为 1。曲线是标准差为 0.35 的高斯密度。

# %% tags=["fold"]
ruler = Sheet(panels=1, height=2.8)
ruler.frame(0, "three 4-bit formats", "level", "", (-1.05, 1.05), (0.4, 6.2))
ruler.axes[0].set_yticks([1, 2, 3], ["NF4", "FP4", "INT4"])
t = torch.linspace(-1, 1, 201)
ruler.line(0, "density", t, 3.6 + 2.4 * torch.exp(-((t / 0.35) ** 2) / 2), color=GRAY)
gaps = {}
for y, (name, color) in enumerate((("NF4", BLUE), ("FP4 E2M1", RED), ("INT4", GREEN)), 1):
    levels = format_levels(name) / format_levels(name).abs().max()
    style = {"marker": "|", "markersize": 20, "markeredgewidth": 2, "color": color}
    ruler.points(0, name, levels, [y] * len(levels), **style)
    gaps[name[:3]] = f"{levels.diff().min():.3f}", f"{levels.diff().max():.3f}"
ruler.show("schemes-ruler", **{f"{k}_{end}": v for k, ends in gaps.items()
                               for end, v in zip(("least", "most"), ends)})

# %% [markdown] slideshow={"slide_type": "notes"}
# INT4 的间隔处处相等，FP4 和 NF4 中间密、两端疏。还能看出 INT4 的右端缺一级：$-8$ 对应 $-1$，而 $+8$ 不存在。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 各格式适合什么样的数据
#
# 四种数据：均匀、高斯、拉普拉斯（尖峰、长尾）、带离群值（outlier）的高斯。先看一个缩放因子、范围取到最大绝对值的情形：每种数据的最大绝对值对应格式的最大绝对值。
#
# **【操作】** 先预测：4 位里，哪种数据最适合 INT4，哪种最适合 NF4？8 位里，FP8 什么时候能胜过 INT8？再逐一切换格式。

# %% slideshow={"slide_type": "subslide"}
explore.formats()

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 每换一种数据先表决：INT4、FP4、NF4 谁赢？记下谁全对。

# %% [markdown] slideshow={"slide_type": "skip"}
# 再看总表，多加一列：刚才那个网络最后一层的权重。最后一行是最大绝对值与标准差之比 $\Gamma$。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
names = ("INT4", "FP4 E2M1", "NF4", "INT8", "FP8 E4M3", "FP8 E5M2")
shapes = ("uniform", "normal", "laplace", "outliers")
columns = {shape: samples.distribution(shape).double() for shape in shapes}
columns["weights"] = w.detach().flatten().double()
grids = {name: format_levels(name) / format_levels(name).abs().max() for name in names}
print("SQNR, dB   " + "".join(f"{k:>10}" for k in columns))
for name in names:
    whole = [sqnr_db(x, x.abs().max() * round_to_levels(x / x.abs().max(), grids[name]))
             for x in columns.values()]
    print(f"{name:11}" + "".join(f"{v:10.1f}" for v in whole))
print("Gamma      " + "".join(f"{x.abs().max() / x.std():10.1f}" for x in columns.values()))

# %% [markdown] slideshow={"slide_type": "notes"}
# - **8 位**：判据成立。$\Gamma$ 小于 11.8 的四列，INT8 都更好；带离群值的一列，FP8 反超。FP8 的两行几乎不随数据变化。
# - **4 位**：均匀数据上 INT4 最好；其余各列 NF4 与 FP4 都超过 INT4。但这只是一个缩放因子、取到最大绝对值时的名次，下面就会看到名次改变。
# - **离群值**：三种 4 位格式都只剩几分贝，换成别的 4 位格式无济于事。应当更换的是缩放因子，[下一章](03_params.ipynb)再讲。

# %% [markdown] slideshow={"slide_type": "notes"}
# **【思考】** 均匀数据占满 16 级，按[信息论基础](01_information_theory.ipynb)的公式应有 $6.02 \cdot 4 = 24.08$ dB。表里的 INT4 为什么达不到？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 原因仍是缺少 $+8$ 那一级。这里 $\Delta = 1/8$，最大的重建值是 $7\Delta$。落在 $7.5\Delta$ 到 $8\Delta$ 的数据被截断，占全部的 $1/32$，误差从 $\tfrac12\Delta$ 到 $\Delta$，均方值是
#
# $$
# \frac{1}{\frac12\Delta}\int_{\Delta/2}^{\Delta} e^2\,\mathrm{d}e = \frac{7}{12}\Delta^2
# $$
#
# 总噪声是 $\tfrac{31}{32} \cdot \tfrac{1}{12}\Delta^2 + \tfrac{1}{32} \cdot \tfrac{7}{12}\Delta^2 = \tfrac{19}{16} \cdot \tfrac{\Delta^2}{12}$，SQNR 少 $10\log_{10}\tfrac{19}{16} = 0.75$ dB，只有约 23.3 dB，与表一致。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 缩放因子也占位数
#
# 实际使用 4 位格式时，很少让整个张量共用一个缩放因子，而是每 $g$ 个权重为一组，各用一个缩放因子。缩放因子也要存。设每个缩放因子占 $b_s$ 位，平均每个权重占
#
# $$
# b + \frac{b_s}{g} \ \text{bit}
# $$
# 〔[P8](06_summary.ipynb#公式总表)〕

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 把缩放因子也算进去，4 位其实是几位？先算再看。

# %% [markdown]
# **【计算】** 4 位编码，每 64 个一组、缩放因子存成 float16，每个权重几位？存成 float32 呢？MX 格式每 32 个一组，缩放因子是 2 的幂，存 8 位的指数（[Open Compute Project，2023](references.ipynb)），又是几位？请填入第一种的位数。

# %%
exercises.predict("packed-bits-per-weight")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 依次是 $4 + 16/64 = 4.25$ 位、$4 + 32/64 = 4.5$ 位、$4 + 8/32 = 4.25$ 位。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# 我们比较五种缩放因子：整个张量取最大绝对值；整个张量取误差最小的范围；每 64 个一组；MXFP4；以及分组的 INT4 改用上文不截断的规则（最大绝对值对应 7 而不是 8）。

# %% slideshow={"slide_type": "skip"}
def largest(x, top=1.0):
    return x.abs().max() / top


def best_range(x, levels):
    candidates = x.std() * torch.arange(1, 7, 0.05, dtype=torch.float64)
    return min(candidates, key=lambda c: (x - c * round_to_levels(x / c, levels)).square().mean())


def group_scales(x, top=1.0):  # one float16 for each row
    return (x.abs().amax(1, keepdim=True) / top).half().double()


def power_of_two(x):  # the largest level of FP4 is 6 = 1.5 · 2^2
    return 6 * 2 ** (x.abs().amax(1, keepdim=True).log2().floor() - 2)

# %% tags=["predict", "fold"] slideshow={"slide_type": "skip"}
fours = {name: grids[name] for name in ("INT4", "FP4 E2M1", "NF4")}
ways = [("largest |x|", n, 0, 1, lambda x, levels: largest(x)) for n in fours]
ways += [("best range", n, 0, 1, best_range) for n in fours]
ways += [("groups of 64", n, 16, 64, lambda x, levels: group_scales(x)) for n in fours]
ways += [("groups, 7/8", "INT4", 16, 64, lambda x, levels: group_scales(x, top=7 / 8))]
ways += [("MX, 32, 2^k", "FP4 E2M1", 8, 32, lambda x, levels: power_of_two(x))]
results = {}
print("scale         format    bits  " + "".join(f"{k:>10}" for k in columns))
for way, name, extra, g, scale_of in ways:
    rows = [x[: len(x) // 64 * 64].view(-1, g) if extra else x for x in columns.values()]
    scales = [scale_of(x, fours[name]) for x in rows]
    hats = [s * round_to_levels(x / s, fours[name]) for x, s in zip(rows, scales)]
    results[way, name] = [sqnr_db(x, x_hat) for x, x_hat in zip(rows, hats)]
    dB = "".join(f"{v:10.1f}" for v in results[way, name])
    print(f"{way:13} {name:9} {4 + extra / g:.2f}  {dB}")

# %% [markdown] slideshow={"slide_type": "skip"}
# 名次取决于缩放因子怎样定：
#
# - **整个张量取最大绝对值**：高斯数据和权重上，NF4 最好，FP4 其次，INT4 最差，原因是范围太宽。
# - **整个张量取最好的范围**：高斯数据和权重上，NF4 仍最好，INT4 却胜过 FP4。可见 INT4 在上一种情形里落后于 FP4，是因为范围太宽，不是因为中间的间隔太大。
# - **每 64 个一组**：这个网络的权重上，INT4 甚至最好；高斯数据上 NF4 最好。INT4 的名次还取决于除数：改成不截断的规则，优势就没有了。
# - **拉普拉斯（长尾）**：NF4 和 FP4 始终胜过 INT4。决定名次的是尾部，而不是“数据集中在 0 附近”。
# - **MXFP4**：位数与 64 个一组相同，组更小，高斯、拉普拉斯数据和权重上却比每 64 个一组的 FP4 低 0.4 到 1.1 dB。损失来自缩放因子只能取 2 的幂。
#
# float16 的缩放因子使每个权重占 4.25 位；存成 float32 是 4.5 位，这是 NF4 原来的用法；MXFP4 也是 4.25 位。按每位 6.02 dB 估计，多花的 0.25 位本来值 1.5 dB。比较格式时，**SQNR 旁边必须写上连同缩放因子的位数**。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
print(f"0.25 bit is worth {0.25 * 20 * math.log10(2):.1f} dB; NF4 gains from groups:")
for name, one, many in zip(columns, results["best range", "NF4"], results["groups of 64", "NF4"]):
    print(f"{name:9} {many - one:z5.1f} dB")

# %% [markdown] slideshow={"slide_type": "skip"}
# 与最好的范围相比，高斯数据和这一层权重上，分组的收益不到 1.5 dB，均匀数据上反而有损失；收益大于代价的是长尾和带离群值的数据。各处的大小越不一致，分组越值得。
#
# ### 编码用得同样多，不等于误差最小 ★
#
# 这一小节用到熵和 Lloyd–Max 量化器（[率失真](01b_rate_distortion.ipynb)一章），可以跳过。结论是：NF4 追求的“每个编码用得同样多”与“均方误差最小”是两个目标，而且分组以后，NF4 的编码用得并不一样多。
#
# **【预测】** 改变范围，让最大的重建值落在 $c$ 倍标准差上。熵最大的 $c$ 和误差最小的 $c$，哪一个更大？NF4 能不能达到 16 级的 Lloyd–Max？

# %% tags=["predict"] slideshow={"slide_type": "skip"}
rows, nf4 = gaussian.view(-1, 64), nf4_levels()
print("scale           entropy   least used   most used     dB")
for c in (right[-1].item(), 2.4, best_range(gaussian[:200_000], nf4).item(), None):
    unit = c or group_scales(rows)
    q_nf4 = torch.bucketize(rows / unit, (nf4[1:] + nf4[:-1]) / 2)
    used = torch.bincount(q_nf4.flatten()) / q_nf4.numel()
    name = f"c = {c:.2f}" if c else "groups of 64"
    print(f"{name:15} {entropy(q_nf4):7.3f} {used.min():12.1%} {used.max():11.1%}", end="")
    print(f" {sqnr_db(rows, unit * nf4[q_nf4]):6.1f}")
print(f"Lloyd-Max, 16 levels: {-10 * math.log10(lloyd_max(16, 'normal').mse):.1f} dB")

# %% [markdown] slideshow={"slide_type": "skip"}
# 第一行的 $c$ 就是 NF4 的设计点，即最外面的分位数。熵几乎是 4 比特，各编码的概率却已经从 5.6% 到 7.1% 不等；熵在最大值附近很平，所以看不出来。这里截断太多，误差反而大。第三行的 $c$ 是逐个试出来的误差最小的一个，离 Lloyd–Max 只差 0.2 dB。
#
# 最后一行是实际用法：每 64 个一组，除以组里的最大绝对值。用得最少的编码只占 1.7%，与用得最多的相差五倍多，熵降到 3.9 比特。除以最大绝对值以后，数据的分布随组的大小而变，一张固定的表不可能总是等概率的（[Yoshida，2023](references.ipynb)）。这一行的 SQNR 超过了 16 级的 Lloyd–Max，因为它另外花了缩放因子的位数。

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 代价
#
# 等距的编码减去零点后与数值成正比，$\hat x = s\,(q - z)$，所以矩阵乘法可以全用整数做完，最后再乘一次 $s$，[只用整数](04b_integer.ipynb)一章会推导。不等距的格式没有这条性质：
#
# | 格式 | 编码怎样变成数值 | 不还原成普通浮点数就做乘法，需要什么 |
# |:--|:--|:--|
# | INT8、INT4 | 减零点，乘 $s$ | 整数乘法器 |
# | FP8、FP4 | 拆出符号、指数、尾数，乘 $s$ | 支持这种格式的浮点乘法器 |
# | NF4 | 查一张 16 项的表，乘 $s$ | 做不到，必须先查表还原 |

# %% [markdown] slideshow={"slide_type": "notes"}
# 硬件不支持时，前两种格式也要先还原、再乘。这门课后面几章都用等距的整数格式。

# %% [markdown] slideshow={"slide_type": "skip"}
# ## 练习
#
# 这些练习留到课后做。每一题先写答案，再运行下一个单元格检查；检查不通过时，会给出最小的反例和提示。还没有动手的题，检查只会说“还没有完成”。

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（4 分钟，难度 1/3）写出 `my_range(bits, signed)`：`bits` 是位宽，`signed` 是布尔值；返回最小和最大的编码，两个整数。有符号用补码。

# %% slideshow={"slide_type": "skip"}
def my_range(bits, signed):
    return ...  # qmin, qmax

# %% slideshow={"slide_type": "skip"}
exercises.check("code-range", my_range)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_range(bits, signed):
#     if signed:
#         return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
#     return 0, 2**bits - 1
# ```
#
# 都是 $2^b$ 个编码；0 占去一个，所以有符号时负数多一个。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（5 分钟，难度 1/3）写出 `my_bits(levels)`：`levels` 个量化级（至少 2 个）各要一个编码，返回最少需要几位，一个整数。

# %% slideshow={"slide_type": "skip"}
def my_bits(levels):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("bits-needed", my_bits)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_bits(levels):
#     return (levels - 1).bit_length()
# ```
#
# 编码从 0 到 $L - 1$，最大的编码需要几位就是几位。整数运算没有舍入误差；`math.ceil(math.log2(levels))` 在这里也对。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（5 分钟，难度 1/3）写出 `my_codes(x, scale)`：`x` 是浮点张量，`scale` 是缩放因子。求对称的 INT8 编码：舍入到最近的整数（半整数取偶数），截断到 $[-128, 127]$，返回 `torch.int8` 的张量。

# %% slideshow={"slide_type": "skip"}
def my_codes(x, scale):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("integer-codes", my_codes)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_codes(x, scale):
#     return torch.round(x / scale).clamp(-128, 127).to(torch.int8)
# ```
#
# 先截断，后转换类型：反过来，超出范围的编码会绕回去。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（8 分钟，难度 2/3）不用 `pack_int4`，写出 `my_pack(codes)`：`codes` 是 `torch.int8` 的一维张量，值在 $[-8, 7]$；返回 `torch.uint8` 的字节，每两个编码，前一个在低 4 位，个数是奇数时最后的高 4 位补 0。用它打包 $1, -2, 7, -8, 3$，应得到 E1 87 03。

# %% slideshow={"slide_type": "skip"}
def my_pack(codes):
    nibbles = (codes & 0xF).to(torch.uint8)
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("pack-int4", my_pack)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_pack(codes):
#     nibbles = (codes & 0xF).to(torch.uint8)
#     if len(nibbles) % 2:
#         nibbles = torch.cat([nibbles, nibbles.new_zeros(1)])
#     pairs = nibbles.view(-1, 2)
#     return pairs[:, 0] | (pairs[:, 1] << 4)
# ```
#
# `& 0xF` 截取低 4 位，负数的补码才不会把高位的 1 带进另一个编码。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（8 分钟，难度 2/3）不用 `unpack_int4`，写出 `my_unpack(packed)`：`packed` 是 `torch.uint8` 的字节，返回其中全部的编码，`torch.int8`，长度是字节数的两倍。

# %% slideshow={"slide_type": "skip"}
def my_unpack(packed):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("unpack-int4", my_unpack)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_unpack(packed):
#     low, high = packed & 0xF, packed >> 4
#     codes = torch.stack([low, high], dim=-1).flatten().to(torch.int8)
#     return torch.where(codes > 7, codes - 16, codes)
# ```
#
# 先转成 `int8` 再减 16：`uint8` 里没有负数。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 讨论
#
# **【思考】** 打包、解包的往返测试全部通过，和别人交换文件时却读错了。为什么往返测试发现不了？还应当测试什么？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 讨论 5 分钟：往返测试为什么查不出约定的错？这是软件测试的好例子。

# %% [markdown] slideshow={"slide_type": "skip"}
# 全课做到了哪里，运行下面的单元格就知道：

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 小结
#
# - $b$ 位的整数方案有 $2^b$ 级、$2^b - 1$ 个间隔。无符号方案的范围是 $0 \dots 2^b - 1$；有符号方案（补码）的范围是 $-2^{b-1} \dots 2^{b-1} - 1$，负的编码多一个。
# - 对称量化要不截断任何数据，就用最大绝对值除以最大的编码：有符号是 $2^{b-1} - 1$，无符号（数据没有负值）是 $2^b - 1$。常见写法的 $\min(\lvert q_{\min}\rvert, q_{\max})$ 对无符号方案得 0。
# - $L$ 级要 $\lceil \log_2 L \rceil$ 位，必须向上取整。
# - 有符号换成无符号：$q$ 和 $z$ 同加 $2^{b-1}$，也就是翻转最高位；直接重读位模式不是换算。8 位换成 4 位：先减零点、除以 16，再舍入；只右移会使数值平均偏低 $7.5\,s_8$，解码时必须加回。

# %% [markdown] slideshow={"slide_type": "subslide"}
# - 两个 4 位编码打包成一个字节，第一个在低 4 位。形状要另存，符号要恢复；约定不一致时程序不会报错。
# - 编码是不是 INT8，看类型，不看值；文件的大小取决于存储的位宽，打包以后 INT4 才占 4 位。分组时，每个权重还要加上缩放因子的 $b_s/g$ 位。
# - 整数格式的误差处处一样，浮点格式的误差与数值成比例：数据分布在几个 2 倍区间里时，SQNR 约为 $6.02\,w_{\mathrm m} + 13.46$ dB，与信号的大小无关。最大绝对值超过标准差的 11.8 倍时，FP8 E4M3 胜过 INT8。
# - 4 位格式的名次取决于数据的尾部和缩放因子的取法，没有一种格式处处最好。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下一章：[量化参数](03_params.ipynb)。编码有了，一个编码究竟代表多大的数值？
