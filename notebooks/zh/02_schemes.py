# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 量化方案：有哪些编码可以用，怎样装进字节
#
# 量化把实数换成编码。这一章只问编码：一共有多少个，最小和最大是几，占多少位，存进文件是多少字节。至于一个编码代表多大的实数，由缩放因子（scale）和零点（zero point）决定，那是[下一章](03_params.ipynb)的事。
#
# 原文档定义了 INT8、UINT8、INT4 三种方案。定义本身没有错，用它们的代码却有三处毛病，都出在「数数」上：除数数成了 0，位数数少了一位，字节数多了三倍。
#
# **学完这一章，你能：**
#
# - 对任何一种整数方案，写出它的范围、级数和位宽；
# - 说清楚 $2^b$、$2^b - 1$、$2^{b-1}$、$2^{b-1} - 1$ 各数的是什么；
# - 在有符号和无符号、8 位和 4 位之间换算编码；
# - 把两个 4 位编码装进一个字节，再拆出来，并数出文件真正的大小；
# - 说出 FP8、FP4、NF4 把级数摆在哪里，对什么样的数据划算。
#
# | 部分 | 时间 |
# |:--|:--|
# | 1 整数的格子 | 20 分钟 |
# | 2 编码的换算 | 10 分钟 |
# | 3 装进字节 | 15 分钟 |
# | 4 不等距的格子 | 15 分钟 |

# %%
import io
import math

import numpy as np
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import entropy, explore, float_levels, lloyd_max, nf4_levels
from quantcore import pack_int4, samples, sqnr_db, unpack_int4
from quantcore.schemes import format_levels, round_to_levels
from quantcore.sheet import BLUE, GRAY, GREEN, RED, Sheet

device = "cuda" if torch.cuda.is_available() else "cpu"

# %%
explore.set_language("zh")

# %% [markdown]
# ## 1 整数的格子
#
# ### 范围、级数、位宽
#
# **量化方案**（quantization scheme）是一组连续的整数，从 $q_{\min}$ 到 $q_{\max}$。三个量说清一个方案：
#
# - **位宽**（bit width）$b$：一个编码占几位；
# - **级数**（levels）：一共有几个编码；
# - **范围**（range）：最小的和最大的编码。
#
# **先猜。** UINT4 的范围是什么？INT4 呢？INT4 里，正的编码多，还是负的编码多？
#
# 一位有 0 和 1 两种状态，$b$ 位就有 $2^b$ 种。记这些位是 $d_{b-1} \dots d_1 d_0$。
#
# **无符号**（unsigned）就是普通的二进制，第 $i$ 位的权是 $2^i$：
#
# $$
# q = \sum_{i=0}^{b-1} d_i\, 2^i
# $$
#
# 全 0 最小，全 1 最大。等比级数求和：
#
# $$
# q_{\min} = 0, \qquad q_{\max} = 1 + 2 + \dots + 2^{b-1} = 2^b - 1
# $$
#
# **有符号**（signed）用**补码**（two's complement）。只改一处，最高位的权变成负的：
#
# $$
# q = -d_{b-1}\, 2^{b-1} + \sum_{i=0}^{b-2} d_i\, 2^i
# $$
#
# 最高位取 1、其余取 0 时最小；最高位取 0、其余取 1 时最大：
#
# $$
# q_{\min} = -2^{b-1}, \qquad q_{\max} = 2^{b-1} - 1
# $$
#
# 还有一种更直观的写法：最高位只管正负号，其余的位是绝对值，叫**原码**（sign and magnitude）。先把 3 位的 8 种状态都列出来，三种读法并排：

# %%
print("bits   unsigned   two's complement   sign and magnitude")
for pattern in range(8):
    top, low = pattern >> 2, pattern & 0b11
    sign = "-" if top else "+"
    print(f"{pattern:03b} {4 * top + low:9} {-4 * top + low:14} {sign:>17}{low}")

# %% [markdown]
# 同样的 8 种状态，读法不同，值就不同。**位的排列本身没有正负号，正负号是读法给的。**
#
# 现在验公式。用缩放因子 1、零点 0，把 $-40000$ 到 $39999$ 的整数都交给量化器。超出范围的会被**截断**（clipping）到两端，于是测得出最小、最大的编码，也数得出一共有几个。

# %%
sweep = torch.arange(-40_000.0, 40_000.0, device=device)
print("          levels           qmin             qmax         (predicted, measured)")
for scheme in (s for s in QuantizationScheme if s.levels == 2**s.bit_width):
    b = scheme.bit_width
    ends = (-(2 ** (b - 1)), 2 ** (b - 1) - 1) if scheme.signed else (0, 2**b - 1)
    s, z = torch.tensor(1.0, device=device), torch.tensor(0, device=device)
    quantizer = UniformQuantizer(QuantizationParams(s, z, scheme.qmin, scheme.qmax))
    codes = quantizer.quantize(sweep)
    reached = codes.min().item(), codes.max().item()
    print(f"{scheme.name:5} {2**b:7} {len(codes.unique()):6} {ends[0]:8} {reached[0]:6}", end="")
    print(f" {ends[1]:8} {reached[1]:6}   {codes.dtype}")

# %% [markdown]
# 最后一列是存一个编码用的类型。torch 没有能做普通运算的 4 位类型，INT4 的编码只好放在 `int8` 里，一个编码占一整个字节。这笔账第 3 节再算。
#
# ### 补码为什么不对称
#
# 级数是偶数。0 占掉一个，剩下奇数个，没法正负平分。补码里 0 的最高位是 0，占的是非负那一半的名额，所以负的多一个。
#
# 原码倒是对称，代价是有两个 0：上面的表里 `+0` 和 `-0` 是两种状态。补码只有一个 0，而且加法不用管符号：两个编码按二进制相加，丢掉进位，就是对的。因为补码的 $q$ 和它的无符号读法相差 0 或 $2^b$，丢掉进位正好是对 $2^b$ 取余数。
#
# **问一问。** 在 `int8` 里，$-(-128)$ 是多少？$\lvert -128 \rvert$ 呢？
#
# <details><summary>想好了再看</summary>
#
# 都是 $-128$。$+128$ 不在范围里，对 256 取余数以后又回到 $-128$。绝对值是负数，而且没有任何报错。
#
# </details>

# %%
q = torch.tensor([-128, -127, -1, 127], dtype=torch.int8)
for name, value in (("q", q), ("-q", -q), ("|q|", q.abs())):
    print(f"{name:3}", *(f"{v:6}" for v in value.tolist()))

# %% [markdown]
# 所以**对称**（symmetric）量化常常弃掉 $-2^{b-1}$ 这个编码，只用 $-127$ 到 $127$，这叫**受限范围**（restricted range）。好处有两个：
#
# 1. $q$ 能用，$-q$ 就一定能用。
# 2. 乘积小一点，而小一点有时正好够用。(Jacob et al. 2018) 先在 16 位里加两个乘积，再加进 32 位的累加器。
#
# **先算。** 两个 $(-128) \cdot (-128)$ 相加，16 位放得下吗？一个因子不取 $-128$ 呢？

# %%
limit = torch.iinfo(torch.int16).max
for a, b in ((-128, -128), (-127, -128)):
    print(f"2 · ({a}) · ({b}) = {2 * a * b}   int16 ends at {limit}   fits: {2 * a * b <= limit}")

# %% [markdown]
# ### 四个数，数的是四样东西
#
# **先猜。** 8 位，把数据的最大值 $m$ 换算成缩放因子：$s = m/N$。$N$ 该取 127、128、255 还是 256？有符号和无符号一样吗？
#
# 先弄清每个数数的是什么：
#
# | 式子 | $b = 8$ | 它数的是 |
# |:--|:--|:--|
# | $2^b$ | 256 | 级数 |
# | $2^b - 1$ | 255 | 相邻两级之间的间隔数；也是无符号的最大编码 |
# | $2^{b-1}$ | 128 | 有符号的最小编码的绝对值 |
# | $2^{b-1} - 1$ | 127 | 有符号的最大编码 |
#
# 对称量化的零点是 0，$\hat x = s\,q$。要让 $m$ 落在最大的编码上，就要 $m = s\,q_{\max}$，所以 $N = q_{\max}$：**有符号取 127，无符号取 255**。
#
# 取错了会怎样？用**量化信噪比**（SQNR）来量。设 $x$ 在 $[-1, 1]$ 上均匀分布，信号功率是 $1/3$。没有截断时，噪声功率是 $s^2/12 = 1/(12N^2)$，于是
#
# $$
# \mathrm{SQNR} = 10\log_{10}\frac{1/3}{1/(12N^2)} = 10\log_{10}(4N^2)\ \text{dB}
# $$
#
# 无符号用 $\lvert x\rvert$ 来试，功率相同，公式也相同。下表有的行对得上，有的行对不上。

# %%
x = (samples.distribution("uniform", 10**6) / 3**0.5).to(device)
print("scheme     N   predicted   measured, dB")
for scheme, data in ((QuantizationScheme.INT8, x), (QuantizationScheme.UINT8, x.abs())):
    for n in (127, 128, 255):
        s, z = torch.tensor(1 / n, device=device), torch.tensor(0, device=device)
        quantizer = UniformQuantizer(QuantizationParams(s, z, scheme.qmin, scheme.qmax))
        predicted = 10 * math.log10(4 * n**2)
        print(f"{scheme.name:6} {n:5} {predicted:11.2f} {sqnr_db(data, quantizer(data)):10.2f}")
print(f"INT8 with N = 255, clipping alone: {10 * math.log10(8):.2f} dB")

# %% [markdown]
# - **INT8 除以 255**：最大的编码只有 127，能表示的范围只到约 $\pm\tfrac12$。外面的全被截断，误差是 $\lvert x\rvert - \tfrac12$。它的平均平方是 $\int_{1/2}^{1}(x - \tfrac12)^2\,\mathrm{d}x = \tfrac1{24}$，SQNR 只剩 $10\log_{10} 8$，就是最后一行。
# - **UINT8 除以 127**：没有截断，但 128 到 255 的编码从来用不到，白丢一位，也就是 6.02 dB。
# - **INT8 除以 128**：步长细了一点，最大的正值却被截断了一点，几乎打平。这也是一种通行的约定。8 位时差别可以忽略，2 位时差别很大，[下一章](03_params.ipynb)细讲。
#
# ### 原文档的除数
#
# 原文档用一行代码照顾所有方案：
#
# ```
# q_range = min(abs(scheme.qmin), scheme.qmax)
# ```
#
# **先猜。** 对 INT8、INT4、UINT8，它各是几？

# %%
relu = samples.distribution("relu").to(device)
for scheme in (QuantizationScheme.INT8, QuantizationScheme.INT4, QuantizationScheme.UINT8):
    q_range = min(abs(scheme.qmin), scheme.qmax)
    print(f"{scheme.name:5}   q_range {q_range:3}   ", end="")
    try:
        print(f"scale {relu.abs().max().item() / q_range:.4f}")
    except ZeroDivisionError as error:
        print("ZeroDivisionError:", error)

# %% [markdown]
# 无符号的 $q_{\min}$ 是 0，取较小的一个，就除以 0 了。ReLU 之后的激活值没有负数，本来最适合无符号的格子 (Nagel et al. 2021)，偏偏不能用。
#
# 正确的规则分两种情形：有符号 $s = \max\lvert x\rvert / (2^{b-1}-1)$；无符号 $s = \max x / (2^b-1)$，而且数据不能有负值。有负值时，零点为 0 的无符号格子根本够不着它们，与其悄悄截断，不如拒绝：

# %%
params = QuantizationParams.from_tensor(relu, QuantizationScheme.UINT8)
print(f"scale: predicted {relu.max().item() / 255:.5f}, measured {params.scale.item():.5f}")
print("zero point:", params.zero_point.item())
try:
    QuantizationParams.from_tensor(relu - 1, QuantizationScheme.UINT8)
except ValueError as error:
    print("ValueError:", str(error).split(";")[-1].strip())

# %% [markdown]
# ### 级数不是 2 的幂
#
# 原文档从级数反推位宽：`int(np.log2(self.levels))`。
#
# **先猜。** 受限范围的 INT8 有 255 级，三值权重（ternary）$\{-1, 0, 1\}$ 有 3 级。它们各要几位？原文档会说几位？
#
# <details><summary>想好了再看</summary>
#
# $b$ 位最多区分 $2^b$ 级，所以 $L$ 级需要满足 $2^b \ge L$ 的最小整数：
#
# $$
# b = \lceil \log_2 L \rceil
# $$
#
# 255 级要 8 位，3 级要 2 位。原文档的 `int` 是向下取整，会说 7 位和 1 位，装不下。
#
# 它自带的三种方案恰好都是 2 的幂，所以这个错一直没有露出来。
#
# </details>

# %%
print("levels   log2   document   bits needed   patterns")
for levels in (256, 255, 16, 15, 3):
    bits, needed = math.log2(levels), math.ceil(math.log2(levels))
    truncated = int(np.log2(levels))
    print(f"{levels:6} {bits:6.2f} {truncated:10} {needed:13} {2**needed:10}")

# %% [markdown]
# `quantcore` 里，一种方案就是两个端点 $(q_{\min}, q_{\max})$，级数是 $q_{\max} - q_{\min} + 1$。位宽由它算出：$L - 1$ 写成二进制有几位，就要几位。全是整数运算，不必取对数，也就不会错。三值方案是 $(-1, 1)$。
#
# **先猜。** 下面五个权重最大的是 1.0，所以 $s = 1$。它们的编码各是多少？

# %%
ternary = QuantizationScheme.TERNARY
few = torch.tensor([-0.9, -0.4, 0.2, 0.6, 1.0], device=device)
params = QuantizationParams.from_tensor(few, ternary)
print(ternary.value, "levels", ternary.levels, "bits", ternary.bit_width, "s", params.scale.item())
print("codes: predicted", few.round().int().tolist(), end="   ")
print("measured", UniformQuantizer(params).quantize(few).tolist())

# %% [markdown]
# 前一张表的第二列是每个编码携带的信息的上限，即等概率时的**熵**（entropy）。三值权重是 1.58 位，存成定长的编码却要 2 位。多个编码合在一起可以少浪费：5 个三值编码有 $3^5 = 243$ 种组合，一个字节就装得下，每个 1.6 位。
#
# ### 动一动
#
# 上面一行是编码，下面一行是编码代表的值。橙色是数据的范围 $[-1, 2]$。
#
# **先猜，再动。**
#
# 1. 现在是 4 位、有符号、对称。有几个编码白占了位置？（图下的 `unused`）
# 2. 取消「对称」，还有没有白占的？红色的零点移到哪里去了？
# 3. 保持 4 位，在对称和非对称之间切换。步长之比大约是多少？
# 4. 取消「有符号」、勾上「对称」。数据的范围为什么变成了 $[0, 2]$？

# %%
explore.grid(bits=4, signed=True, symmetric=True)

# %% [markdown]
# <details><summary>看过了再打开</summary>
#
# 1. 对称的格子左右一样宽，数据却只到 $-1$。$s = 2/7$，$-1/s = -3.5$，所以 $-8$ 到 $-5$ 这 4 个一定用不到，$-4$ 刚好在边上。
# 2. 没有了。零点移到 $-3$：0 左边给 5 个编码，右边给 10 个，正好对应 $-1$ 和 $2$。
# 3. 对称 $s = 2/7$，非对称 $s = 3/15$，之比是 $10/7$，约 1.43。数据越偏，差得越多。
# 4. 零点为 0 的无符号格子里没有负值，这样的数据会被拒绝，图里就换了一段没有负值的数据。
#
# </details>

# %%
print("             s predicted, measured   z predicted, measured")
ends = torch.tensor([-1.0, 2.0], device=device)
for name, s, z in (("symmetric", 2 / 7, 0), ("asymmetric", 3 / 15, round(-8 + 1 / 0.2))):
    p = QuantizationParams.from_tensor(ends, QuantizationScheme.INT4, name == "symmetric")
    print(f"{name:10} {s:12.4f} {p.scale.item():9.4f} {z:13} {p.zero_point.item():9}")

# %% [markdown]
# ## 2 编码的换算
#
# ### 有符号与无符号
#
# 有的硬件只会算 `uint8`，有的只会算 `int8`。同一份权重要在两者之间换，怎么换？
#
# $\hat x = s\,(q - z)$ 只看**差**。$q$ 和 $z$ 同加一个数，$\hat x$ 不变：
#
# $$
# q_u = q + 2^{b-1}, \qquad z_u = z + 2^{b-1}
# $$
#
# $-128 \dots 127$ 就变成 $0 \dots 255$。从位上看更简单。把补码写成 $q = -d\,2^{b-1} + r$，其中 $d$ 是最高位，$r$ 是其余各位：
#
# $$
# q + 2^{b-1} = (1 - d)\,2^{b-1} + r
# $$
#
# 其余的位不动，**最高位翻转**。这是一次异或（XOR）。
#
# **问一问。** 什么也不做，把 `int8` 的位直接当 `uint8` 来读，行不行？

# %%
q = torch.tensor([-128, -3, -1, 0, 5, 127], dtype=torch.int8)
bits = q.view(torch.uint8)
print("   q       bits   q + 128   top bit flipped   bits read as uint8")
for row in zip(q.tolist(), bits.tolist(), (q.int() + 128).tolist(), (bits ^ 0x80).tolist()):
    print(f"{row[0]:4}   {row[1]:08b} {row[2]:9} {row[3]:17} {row[1]:20}")

# %% [markdown]
# 中间两列处处相等。最后一列不行：非负的不变，负的却都加了 256，大小的次序乱了。
#
# 验一下：真正换算一遍，重建值一个都不变；直接重读，就全毁了。（注意 `q.int()`：在 `int8` 里加 128 会绕回去。）

# %%
def unsigned_params(p):
    return QuantizationParams(p.scale, p.zero_point + 128, 0, 255)


x = samples.distribution("laplace").to(device)
p = QuantizationParams.from_tensor(x, QuantizationScheme.INT8, symmetric=False)
q, u = UniformQuantizer(p).quantize(x), UniformQuantizer(unsigned_params(p))
x_hat = UniformQuantizer(p).dequantize(q)
same = torch.equal(u.dequantize((q.int() + 128).to(torch.uint8)), x_hat)
print("q + 128, z + 128: x_hat is the same:", same)
print(f"int8:                {sqnr_db(x, x_hat):6.2f} dB")
print(f"bits read as uint8:  {sqnr_db(x, u.dequantize(q.view(torch.uint8))):6.2f} dB")

# %% [markdown]
# ### 8 位与 4 位
#
# 4 位换成 8 位不费事：每个 INT4 编码都是合法的 INT8 编码，$s$、$z$ 照旧，一点不丢。
#
# 8 位换成 4 位一定会丢。级数少到 1/16，步长就要放大 16 倍，$s_4 = 16\,s_8$。常见的写法有两种：
#
# - 右移 4 位：`q >> 4`。它等于 $\lfloor q/16 \rfloor$，向下取整。
# - 除以 16 再**舍入**（rounding），最后截断到 $[-8, 7]$。
#
# **先猜。** 右移的噪声功率是舍入的几倍？
#
# 以 $s_8^2$ 为单位来算。设 $q$ 除以 16 的余数 0 到 15 同样多。右移丢掉的就是余数 $k$；舍入丢掉的是 $-7$ 到 $8$。原来 8 位量化的噪声 $1/12$ 还在：
#
# $$
# D_{\text{shift}} = \frac{1}{16}\sum_{k=0}^{15} k^2 + \frac{1}{12}, \qquad
# D_{\text{round}} = \frac{1}{16}\sum_{k=-7}^{8} k^2 + \frac{1}{12}
# $$
#
# 直接从浮点量化到 4 位，噪声是 $16^2/12$，比舍入还略小，因为只舍入了一次。舍入两次，有时和一次的结果不同：$q$ 正好落在两个 4 位编码的正中时（16 种余数里有一种），第一次舍入已经忘了 $x$ 在哪一边，有一半会错。所以不同的编码约占 $1/32$。

# %%
x = samples.distribution("normal", 10**6).to(device)
p = QuantizationParams.from_tensor(x, QuantizationScheme.INT8)
q, s = UniformQuantizer(p).quantize(x).int(), p.scale
ways = {"shift": q >> 4, "round": torch.round(q / 16), "direct": torch.round(x / (16 * s))}
ways = {name: q4.clamp(-8, 7) for name, q4 in ways.items()}
shift, twice = (sum(k * k for k in ks) / 16 + 1 / 12 for ks in (range(16), range(-7, 9)))
print("8 -> 4 bits   predicted   measured   (noise power / s8^2)")
for (name, q4), predicted in zip(ways.items(), (shift, twice, 16**2 / 12)):
    measured = (x / s - 16 * q4).double().square().mean().item()
    print(f"{name:11} {predicted:11.1f} {measured:10.1f}")
differ = (ways["round"] != ways["direct"]).double().mean().item()
print(f"codes that differ, round and direct: predicted {1 / 32:.1%}, measured {differ:.1%}")

# %% [markdown]
# 右移让误差全偏向一边，噪声大到三倍半以上。理想的连续情形是 4 倍，也就是 6.02 dB：少写一次舍入，等于白丢一位。换算编码时也要先舍入、后截断。

# %% [markdown]
# ## 3 装进字节
#
# ### 两个 int4 装进一个字节
#
# 字节是内存的最小单位。4 位是半个字节，叫**半字节**（nibble）。要真省一半，就得把两个编码拼进一个字节。
#
# 负数怎么办？取补码的低 4 位就行，那等于对 16 取余数。ONNX 规定**第一个编码放低 4 位**，第二个放高 4 位（ONNX operator specification）：
#
# $$
# \text{byte} = (q_0 \bmod 16) + 16\,(q_1 \bmod 16)
# $$
#
# 拆开时先取出 $n = \text{byte} \bmod 16$ 和 $n = \lfloor \text{byte}/16 \rfloor$，再恢复符号。$n \ge 8$ 说明最高位是 1，本来是负数：
#
# $$
# q = \begin{cases} n, & n < 8 \\ n - 16, & n \ge 8 \end{cases}
# $$
#
# **先算。** 编码 $-3$ 和 $5$ 拼成的字节，十六进制是多少？
#
# <details><summary>想好了再看</summary>
#
# $-3 \bmod 16 = 13$，十六进制是 D，放低位。5 放高位。字节是 `0x5D`。按从低到高的存放顺序是 $-3$ 在先，按书写习惯却是 5 在先，最容易在这里弄反。
#
# </details>

# %%
pair = torch.tensor([-3, 5], dtype=torch.int8)
low, high = (code % 16 for code in pair.tolist())
byte = low + 16 * high
print(f"low {low:04b}   high {high:04b}   byte {byte:08b}")
print(f"predicted {byte:#04x}   measured {pack_int4(pair).item():#04x}")
back = [n if n < 8 else n - 16 for n in (byte % 16, byte // 16)]
print("unpacked: predicted", back, "  measured", unpack_int4(pack_int4(pair), (2,)).tolist())

# %% [markdown]
# 再验全一点：256 个字节，每一个都拆开再拼回去。有符号、无符号都试。

# %%
every = torch.arange(256, dtype=torch.int32).to(torch.uint8)
for signed in (True, False):
    codes = unpack_int4(every, (512,), signed=signed)
    same = torch.equal(pack_int4(codes), every)
    print(f"signed {signed!s:5}   codes {codes.min():2} … {codes.max():2}   round trip {same}")
seven = torch.arange(-3, 4, dtype=torch.int8)
four = pack_int4(seven)
print("7 codes:", math.ceil(7 / 2), "bytes predicted,", four.nbytes, "measured")
print("read as 8:", unpack_int4(four, (8,)).tolist())

# %% [markdown]
# 7 个编码占 4 个字节，最后半个字节空着，填 0。光看字节，分不清是 7 个编码还是 8 个，所以**形状要另存**。
#
# ### 拆错了会怎样
#
# 拼法只是约定。别的库有把第一个放高位的，有先把编码加 8 变成无符号再拼的，也有 8 个拼进一个 `int32` 的。读错约定，不会报错。
#
# 取一个真正训练过的网络，它认手写数字。把最后一层的权重量化成 INT4，装好，再用三种读法拆开，其余各层不变。
#
# **先猜。** 下面两种读错，网络的正确率还剩多少？（一共 10 个数字，乱猜是 10%。）
#
# 1. 高低位弄反：相邻两个权重交换了位置。
# 2. 忘了恢复符号：负数读成 8 到 15。

# %%
network = samples.digits_network()
w, bias = network[5].weight, network[5].bias
w_quantizer = UniformQuantizer(QuantizationParams.from_tensor(w, QuantizationScheme.INT4))
int4 = w_quantizer.quantize(w)
packed = pack_int4(int4)
print(tuple(w.shape), "weights;", int4.dtype, int4.nbytes, "bytes; packed", packed.nbytes)

# %%
_, _, images, labels = samples.digits()
features, s = network[:5](images), w_quantizer.params.scale
readings = {
    "float32": w,
    "int4": s * unpack_int4(packed, w.shape),
    "nibbles swapped": s * unpack_int4((packed >> 4) | (packed << 4), w.shape),
    "sign forgotten": s * unpack_int4(packed, w.shape, signed=False),
}
for name, weight in readings.items():
    correct = ((features @ weight.T + bias).argmax(1) == labels).double().mean().item()
    print(f"{name:15}   SQNR {sqnr_db(w, weight):6.1f} dB   correct {correct:4.0%}")

# %% [markdown]
# 读对了，只存最后一层的 INT4，正确率几乎不动。读错了，网络就废了，第二种连乱猜都不如，而且没有一行报错。SQNR 低于 0 dB，意思是噪声比信号还大。
#
# 所以每写一对装和拆的函数，先测两件事：全部 256 个字节的往返，还有一个写死的例子（如上面的 `0x5D`）。只测往返，发现不了和别人的约定相反。
#
# ### 数一数真正的字节
#
# **先猜。** 这一层有 5120 个权重。下面五个张量各存成一个文件，多大？（`np.save` 的文件头是 128 字节。）
#
# 1. 原来的 float32 权重；
# 2. 原文档的 `quantize` 返回的「INT8」；
# 3. `quantcore` 的 INT8 编码；
# 4. `quantcore` 的 INT4 编码，没有装；
# 5. 装好的 INT4 编码。
#
# 原文档的 `quantize` 舍入、截断之后直接返回，没有换类型，写成代码就是下面的 `document`。
#
# $n$ 个 $b$ 位的编码占 $\lceil n\,b/8 \rceil$ 字节。
#
# 这里的 $b$ 是**存储**的位宽，不是方案的位宽。

# %%
def file_bytes(tensor):
    buffer = io.BytesIO()
    np.save(buffer, tensor.numpy())
    return buffer.tell()


s8 = w.abs().max() / 127
document = torch.clamp(torch.round(w / s8), -128, 127)
int8 = UniformQuantizer(QuantizationParams.from_tensor(w, QuantizationScheme.INT8)).quantize(w)

# %%
files = {
    "1 float32 weights": (w, 32),
    "2 document's INT8": (document, 32),
    "3 INT8 codes": (int8, 8),
    "4 INT4 codes": (int4, 8),
    "5 INT4 codes, packed": (packed, 4),
}
print("                       dtype           predicted   measured   of float32")
for name, (tensor, b) in files.items():
    predicted, measured = math.ceil(w.numel() * b / 8) + 128, file_bytes(tensor)
    print(f"{name:22} {str(tensor.dtype):15} {predicted:9} {measured:10}", end="")
    print(f" {measured / file_bytes(w):11.1%}")

# %% [markdown]
# - 第 2 行：值都是整数，类型还是 float32，一个字节也没省。**编码是不是 INT8，看类型，不看值。**
# - 第 4 行：INT4 的编码放在 `int8` 里，和 INT8 一样大。方案是 4 位，存储是 8 位。
# - 第 5 行：装好以后，才是 float32 的八分之一（多出的一点是文件头）。
#
# 文件头、形状、缩放因子也要占地方。整层一个缩放因子，只多 4 个字节；分组量化时缩放因子多得多，要算进每个权重的位数里，[下一章](03_params.ipynb)会算。
#
# 最后确认：从文件读回来，拆开，编码一个不差。

# %%
buffer = io.BytesIO()
np.save(buffer, packed.numpy())
buffer.seek(0)
restored = unpack_int4(torch.from_numpy(np.load(buffer)), w.shape)
print("codes restored exactly:", torch.equal(restored, int4), restored.dtype)

# %% [markdown]
# **问一问。** 3 位的编码怎样装？为什么实际中 4 位比 3 位常见得多？
#
# <details><summary>想好了再看</summary>
#
# $3n$ 要能被 8 整除，最少 8 个编码装进 3 个字节。第 3 个和第 6 个编码会跨过字节的边界，拆的时候要从两个字节里各取几位再拼起来。4 位从不跨界，一次移位、一次按位与就拆开了。
#
# 也有偷懒的办法：10 个 3 位编码放进 32 位，空 2 位，每个编码实际占 3.2 位。
#
# </details>

# %% [markdown]
# ## 4 不等距的格子
#
# 整数的格子是等距的。有没有必要等距？位数一样，级数一样多，换个地方摆，就成了别的格式。
#
# ### 小浮点数
#
# 浮点数由 1 位符号、$E$ 位指数、$M$ 位尾数组成。名字里写的就是位数：E2M1 是 2 位指数、1 位尾数，加上符号一共 4 位，所以叫 FP4。设指数位读出来是 $e$（这一小节里它是指数，不是误差），尾数位读出来是 $m$，偏置 $\mathrm{bias} = 2^{E-1} - 1$：
#
# $$
# \lvert x \rvert = \begin{cases}
# 2^{\,e - \mathrm{bias}}\left(1 + \dfrac{m}{2^M}\right), & e \ge 1 \\[2ex]
# 2^{\,1 - \mathrm{bias}} \cdot \dfrac{m}{2^M}, & e = 0
# \end{cases}
# $$
#
# 第一行叫规格化数（normal）。第二行叫次规格化数（subnormal），没有前面的 1，所以能表示 0。（OCP Microscaling formats 1.0）
#
# **先算。** E2M1 一共 8 个非负值。写出来，看它们的间隔怎样变化。

# %%
print("bits   e   m   predicted   measured")
for code, measured in enumerate(float_levels(2, 1)[7:].tolist()):
    e, m = code >> 1, code & 1
    predicted = 2.0 ** (e - 1) * (1 + m / 2) if e else 2.0**0 * m / 2
    print(f" {code:03b} {e:4} {m:3} {predicted:11} {measured:10}")
print("different values:", len(float_levels(2, 1)), " codes:", 2**4)

# %% [markdown]
# 间隔从 0.5 到 1 再到 2，逢 2 的幂翻倍。浮点数的符号是单独一位，相当于原码，所以 $+0$ 和 $-0$ 占两个编码，16 个编码只有 15 个值。
#
# FP8 有两种 (Micikevicius et al. 2022)，torch 都有现成的类型。
#
# - **E4M3**（`torch.float8_e4m3fn`）：没有无穷大，只有全 1 的编码是 NaN。指数全 1 时还能用，只是尾数不能全 1，所以最大是 $2^{8} \cdot 1.75$。
# - **E5M2**（`torch.float8_e5m2`）：和 IEEE 的习惯一样，指数全 1 留给无穷大和 NaN，所以最大是 $2^{15} \cdot 1.75$。
#
# 最小的正数是 $2^{\,1 - \mathrm{bias} - M}$。数一数不同的有限值：E4M3 是 256 减 2 个 NaN，再减 1 个重复的 0；E5M2 是 256 减 8 个（无穷大和 NaN），再减 1 个。拿公式和 torch 的类型对一对：

# %%
print("               values             greatest         least above 0   (predicted, torch)")
for name, e_bits, m_bits, top, special in (
    ("FP8 E4M3", 4, 3, 2.0**8 * 1.75, 2),
    ("FP8 E5M2", 5, 2, 2.0**15 * 1.75, 8),
):
    levels, least = format_levels(name), 2.0 ** (2 - 2 ** (e_bits - 1) - m_bits)
    formula = float_levels(e_bits, m_bits)
    same = torch.equal(formula[formula.abs() <= top], levels)
    print(f"{name}   {256 - special - 1:6} {len(levels):6} {top:12.0f} {levels[-1]:8.0f}", end="")
    print(f"   2^{math.log2(least):3.0f}  2^{math.log2(levels[levels > 0][0]):3.0f}   same: {same}")

# %% [markdown]
# ### 相对精度与绝对精度
#
# 一个**二倍区间** $[2^k, 2^{k+1})$ 里，浮点数的步长固定，$\Delta = 2^{k-M}$。换到下一个二倍区间，步长和数值一起翻倍。所以**浮点数的误差与数值成比例，整数的误差处处一样**。
#
# 把它变成一个数。设 $x$ 在一个二倍区间里按对数均匀分布（各个量级同样常见），密度是 $1/(x \ln 2)$：
#
# $$
# \mathbb{E}[x^2] = \int_{2^k}^{2^{k+1}} \frac{x}{\ln 2}\,\mathrm{d}x = \frac{3}{2\ln 2}\,4^k
# $$
#
# $$
# \mathrm{SQNR} = 10\log_{10}\frac{\mathbb{E}[x^2]}{\Delta^2/12} = 10\log_{10}\frac{18}{\ln 2} + 10\log_{10}4^M = 6.02\,M + 14.14 \ \text{dB}
# $$
#
# 和位宽 $b$ 无关，和信号的大小也无关，只看尾数的位数 $M$。指数的位数管的是另一件事：能这样保持多大的范围。
#
# **先算。** E4M3 和 E5M2 各是多少分贝？INT8 的满幅均匀信号呢？
#
# 下面的数据横跨 13 个二倍区间，从 $2^{-5}$ 到 $2^{8}$。

# %%
u = torch.rand(10**6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
x = (2.0 ** (13 * u - 5)).to(device)
print("format   predicted   measured, dB")
for dtype, m_bits in ((torch.float8_e4m3fn, 3), (torch.float8_e5m2, 2)):
    predicted = 10 * math.log10(18 / math.log(2) * 4**m_bits)
    x_hat = x.float().to(dtype).double()
    print(f"{str(dtype)[13:]:8} {predicted:8.1f} {sqnr_db(x, x_hat):10.1f}")

# %% [markdown]
# 指数多 1 位、尾数少 1 位，就少 6.02 dB。
#
# 再看信号大小变化时会怎样。把高斯数据缩到正好占满每种格式，然后数据逐次减半，**缩放因子不跟着变**。
#
# **先猜。** 数据缩小到 $1/16$，INT8 丢多少分贝？FP8 呢？

# %%
x, scales = samples.distribution("normal", 10**5).double(), range(0, 21)
x = (x / x.abs().max()).to(device)
sheet = Sheet(panels=2, height=3.6)
sheet.frame(0, "step at each size", "|x|, largest = 1", "step", (2e-5, 1), (1e-6, 0.5))
sheet.axes[0].set(xscale="log", yscale="log")
sheet.frame(1, "data shrink, the scale stays", "k: data times 2^(-k)", "dB", (0, 20), (-2, 45))
sheet.axes[1].set_xticks(range(0, 21, 4))
found = {}
for name, color in (("INT8", BLUE), ("FP8 E4M3", RED), ("FP8 E5M2", GREEN)):
    levels = format_levels(name).to(device) / format_levels(name).abs().max().item()
    found[name] = [sqnr_db(x / 2**k, round_to_levels(x / 2**k, levels)) for k in scales]
    above = levels[levels >= 0]
    sheet.line(0, name, above[:-1], above.diff(), color=color, drawstyle="steps-post")
    sheet.line(1, name, scales, found[name], color=color, marker="o", markersize=3)

# %%
sheet.legend(0, loc="lower right")
sheet.legend(1)
drops = ", ".join(f"{name} {v[0]:.1f} then {v[4]:.1f}" for name, v in found.items())
sheet.show(f"Integer steps are all equal, float steps grow with |x|; dB at k = 0 and 4: {drops}")

# %%
print("k = 0 to 4   predicted   measured   (dB lost)")
for name, predicted in (("INT8", 20 * math.log10(16)), ("FP8 E4M3", 0), ("FP8 E5M2", 0)):
    print(f"{name:10} {predicted:11.1f} {found[name][0] - found[name][4]:z10.1f}")

# %% [markdown]
# - **INT8**：每缩小一半丢 6.02 dB，直到全部变成 0。缩放因子合适时（$k = 0$），它比 FP8 高出一截。
# - **FP8**：在很大的范围里不受影响，缩得太小、落进次规格化数以后才下降。E5M2 的平台低 6 dB，但长得多。
#
# 所以整数格式配精心挑选的缩放因子，浮点格式容忍粗心的缩放因子。数据里大小悬殊的值混在一起时，没有合适的缩放因子，浮点就划算了。
#
# ### NF4：按分布来摆
#
# NF4（4-bit NormalFloat）连浮点的规则也不用，直接照高斯分布摆 16 个级 (Dettmers et al. 2023)。想法是：**让每个编码用得一样多**。神经网络的权重接近高斯，就取高斯的**分位数**（quantile）。
#
# 只有一个麻烦：0 必须是一级，而偶数个级不能既对称又含 0。NF4 让两边不一样多：负的 7 个，正的 8 个，加上 0 共 16 个。设 $\Phi^{-1}$ 是标准高斯的分位数函数，$\delta = \tfrac12\left(\tfrac1{32} + \tfrac1{30}\right)$：
#
# - 正的一边，概率从 $\tfrac12$ 到 $1 - \delta$ 分成 8 等份，取右端点的分位数；
# - 负的一边，同一段分成 7 等份，取出来再变号；
# - 都除以最大的一个，使两端正好是 $\pm1$。

# %%
delta = (1 / 32 + 1 / 30) / 2
half = torch.tensor(0.5, dtype=torch.float64)
right = torch.special.ndtri(half + (half - delta) * torch.arange(1, 9) / 8)
left = -torch.special.ndtri(half + (half - delta) * torch.arange(1, 8) / 7).flip(0)
predicted = torch.cat([left, torch.zeros(1), right]) / right[-1]
print("predicted", *(f"{v:5.2f}" for v in predicted.tolist()))
print("measured ", *(f"{v:5.2f}" for v in nf4_levels().tolist()))
print("largest difference below 1e-12:", bool((predicted - nf4_levels()).abs().max() < 1e-12))

# %% [markdown]
# 把三种 4 位格式画在同一条数轴上，都缩放到最大绝对值为 1。曲线是标准差为 0.35 的高斯密度。
#
# **先猜。** 谁在 0 附近最密？谁在两端最密？

# %%
ruler = Sheet(panels=1, height=2.8)
ruler.frame(0, "three 4-bit formats", "level", "", (-1.05, 1.05), (0.4, 6.2))
ruler.axes[0].set_yticks([1, 2, 3], ["NF4", "FP4", "INT4"])
t = torch.linspace(-1, 1, 201)
ruler.line(0, "density", t, 3.6 + 2.4 * torch.exp(-((t / 0.35) ** 2) / 2), color=GRAY)
gaps = []
for y, (name, color) in enumerate((("NF4", BLUE), ("FP4 E2M1", RED), ("INT4", GREEN)), 1):
    levels = format_levels(name) / format_levels(name).abs().max()
    style = {"marker": "|", "markersize": 20, "markeredgewidth": 2, "color": color}
    ruler.points(0, name, levels, [y] * len(levels), **style)
    gaps.append(f"{name} {levels.diff().min():.3f} to {levels.diff().max():.3f}")
ruler.show(f"Levels of three 4-bit formats; steps: {', '.join(gaps)}")

# %% [markdown]
# INT4 处处一样，FP4 和 NF4 中间密、两端疏。还能看出 INT4 的右端缺一格：$-8$ 对应 $-1$，而 $+8$ 不存在。
#
# ### 对谁划算
#
# **先猜。** 四种数据：均匀、高斯、拉普拉斯（尖峰、长尾）、带离群值（outlier）的高斯。每种数据都缩放到最大绝对值等于格式的最大级。
#
# 1. 4 位里，哪种数据最适合 INT4？哪种最适合 NF4？
# 2. 8 位里，FP8 什么时候能赢 INT8？

# %%
explore.formats()

# %% [markdown]
# 一种格式一种格式地看完，再看总表。多加一列：刚才那个网络最后一层的权重。

# %%
names = ("INT4", "FP4 E2M1", "NF4", "INT8", "FP8 E4M3", "FP8 E5M2")
sources = {k: samples.distribution(k) for k in ("uniform", "normal", "laplace", "outliers")}
sources["weights"] = w.flatten()
table = {name: [] for name in names}
print("SQNR, dB   " + "".join(f"{k:>10}" for k in sources))
for name in names:
    levels = format_levels(name) / format_levels(name).abs().max()
    for x in sources.values():
        x = x.double() / x.abs().max()
        table[name].append(sqnr_db(x, round_to_levels(x, levels)))
    print(f"{name:11}" + "".join(f"{v:10.1f}" for v in table[name]))

# %% [markdown]
# - **均匀**：INT4 最好。数据处处一样多，级就该等距。
# - **高斯、训练过的权重**：NF4 最好，FP4 居中，INT4 最差。大部分数据在 0 附近，级也该多摆在那里。
# - **拉普拉斯**：NF4 和 FP4 几乎打平，都远好于 INT4。
# - **8 位**：没有离群值时 INT8 大胜；有离群值时 FP8 反超，而且 FP8 那两行几乎不随数据变化。
# - **离群值**：三种 4 位格式都只剩一点点，换格式救不了。该换的是缩放因子，[下一章](03_params.ipynb)讲怎么换。
#
# **问一问。** 均匀数据占满 16 级，按[上一章](01_information_theory.ipynb)的公式该有 $6.02 \cdot 4 = 24.08$ dB。表里 INT4 为什么不到？
#
# <details><summary>想好了再看</summary>
#
# 又是缺的那一格。这里 $\Delta = 1/8$，最大的级是 $7\Delta$。落在 $7.5\Delta$ 到 $8\Delta$ 的数据被截断，占全部的 $1/32$，误差从 $\tfrac12\Delta$ 到 $\Delta$，平均平方是
#
# $$
# \frac{1}{\frac12\Delta}\int_{\Delta/2}^{\Delta} e^2\,\mathrm{d}e = \frac{7}{12}\Delta^2
# $$
#
# 总噪声是 $\tfrac{31}{32} \cdot \tfrac{1}{12}\Delta^2 + \tfrac{1}{32} \cdot \tfrac{7}{12}\Delta^2 = \tfrac{19}{16} \cdot \tfrac{\Delta^2}{12}$，SQNR 少 $10\log_{10}\tfrac{19}{16} = 0.75$ dB。
#
# </details>

# %%
predicted = 20 * math.log10(16) - 10 * math.log10(19 / 16)
print(f"INT4, uniform: predicted {predicted:.1f} dB, measured {table['INT4'][0]:.1f} dB")

# %% [markdown]
# ### 用得一样多，不等于误差最小
#
# NF4 追求每个编码用得一样多，也就是让编码的熵最大。上一章的 Lloyd–Max 追求均方误差最小。这是两个目标。
#
# **先猜。** 改变范围 $c$，让最大的级落在 $c$ 倍标准差上。熵最大的 $c$，也是误差最小的 $c$ 吗？NF4 能不能达到 16 级的 Lloyd–Max？

# %%
x = samples.distribution("normal", 10**6).double().to(device)
print("c / sigma   NF4 entropy   NF4 dB   FP4 dB   INT4 dB")
for c in (right[-1].item(), 2.4, 2.85, 4.0):
    row = []
    for name in ("NF4", "FP4 E2M1", "INT4"):
        levels = format_levels(name).to(device)
        levels = levels / levels.abs().max() * c
        row.append(torch.bucketize(x, (levels[1:] + levels[:-1]) / 2))
        row.append(sqnr_db(x, levels[row[-1]]))
    print(f"{c:9.2f} {entropy(row[0]):13.2f} {row[1]:8.1f} {row[3]:8.1f} {row[5]:9.1f}")
print(f"Lloyd-Max, 16 levels: {-10 * math.log10(lloyd_max(16, 'normal').mse):.1f} dB")
print(f"mean of the largest of 64: {x[: 64 * 15_000].view(-1, 64).abs().amax(1).mean():.2f} sigma")

# %% [markdown]
# 第一行的 $c$ 就是 NF4 自己的设计点，最外面的分位数。熵在那里几乎是 4 位，编码用得一样多；可是截断太多，误差反而大。四行里误差最小的 $c$ 更宽，熵低一些，离 Lloyd–Max 很近了。
#
# 实际使用时不挑 $c$，而是每 64 个权重为一组，各自除以组里的最大绝对值 (Dettmers et al. 2023)。表下面的最后一个数就是高斯的 64 个数里最大绝对值的平均，它离误差最小的位置不远。MX 格式也分组，32 个数共用一个 2 的幂作缩放因子 (OCP Microscaling formats 1.0)。
#
# ### 代价
#
# 不等距换来了精度，也丢了一样东西。等距的编码和数值成正比，$\hat x = s\,(q - z)$，矩阵乘法可以全用整数做完，最后再乘一次 $s$，[均匀量化器](04_quantizer.ipynb)一章会推导。
#
# | 格式 | 编码怎样变成数值 | 怎样做乘法 |
# |:--|:--|:--|
# | INT8、INT4 | 减零点，乘 $s$ | 整数乘法 |
# | FP8、FP4 | 拆出符号、指数、尾数，乘 $s$ | 要有支持这种浮点格式的乘法器 |
# | NF4 | 查一张 16 项的表，乘 $s$ | 先还原成浮点数，再做浮点乘法 |
#
# 这门课后面几章都用等距的整数格式。

# %% [markdown]
# ## 小结
#
# - $b$ 位有 $2^b$ 级、$2^b - 1$ 个间隔。无符号是 $0 \dots 2^b - 1$；有符号是 $-2^{b-1} \dots 2^{b-1} - 1$，负的多一个。
# - 对称量化除以最大的编码：有符号是 $2^{b-1} - 1$，无符号是 $2^b - 1$。原文档取 $\min(\lvert q_{\min}\rvert, q_{\max})$，无符号时除以 0。
# - $L$ 级要 $\lceil \log_2 L \rceil$ 位，向上取整。
# - 有符号换无符号：$q$、$z$ 同加 $2^{b-1}$，也就是翻转最高位。重读位模式不是换算。8 位换 4 位要舍入，不能只移位。
# - 两个 int4 装一个字节，第一个在低 4 位。形状要另存，符号要恢复，读错不会报错。
# - 「INT8」看类型，不看值；「INT4」看有没有装。文件的大小只认存储的位宽。
# - 整数是绝对精度，浮点是相对精度：$\mathrm{SQNR} \approx 6.02\,M + 14$ dB，与信号的大小无关。NF4 照高斯的分位数摆级。
#
# 下一章：[量化参数](03_params.ipynb)。编码有了，一个编码值多少？
