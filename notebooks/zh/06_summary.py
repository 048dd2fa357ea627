# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 总结：每个公式再验一遍
#
# 一门课学完，手里该留下一张表。这一章把全课的公式列在一处，然后逐条再验一遍：左边是公式的预测，右边是测量，对不上就报错。
#
# **学完这一章，你能：**
#
# - 找到任何一个公式，说出它成立的条件，并且当场验证；
# - 指出原文档的公式表错在哪里，为什么这样改；
# - 回答全课的十二个易错题，每题都拿得出一个反例；
# - 知道接下来读什么，以及那些方法用的是这门课的哪一条。
#
# | 部分 | 时间 |
# |:--|:--|
# | 公式总表 | 10 分钟 |
# | 逐组验证 | 20 分钟 |
# | 原文档的公式表，改正后 | 10 分钟 |
# | 十二个易错题 | 15 分钟 |
# | 往哪里走 | 5 分钟 |

# %%
from math import ceil, e as euler, erfc, exp, log2, log10, pi, sqrt

import torch

from quantcore import (
    QuantizationParams, QuantizationScheme, UniformQuantizer, entropy, explore,
    fixed_point_multiplier, float_levels, gaussian_distortion, integer_matmul, lloyd_max,
    noise_power, pack_int4, samples, sqnr_db,
)

# %%
explore.set_language("zh")

# %% [markdown]
# ## 公式总表
#
# 编号的字母是组：N 噪声与信息，S 方案，P 参数，Q 量化器，I 整数运算，V 可视化。最后一列是第一次推导并验证它的那一章。
#
# | 编号 | 名称 | 公式 | 条件 | 章 |
# |:--|:--|:--|:--|:--|
# | N1 | 存储 | $n\,b/8$ 字节 | $n$ 个编码，紧密排列 | [信息论基础](01_information_theory.ipynb) |
# | N2 | 量化噪声功率 | $\sigma_q^2 = \Delta^2/12$ | 误差在一个步长里均匀分布 | [信息论基础](01_information_theory.ipynb) |
# | N3 | 它的修正 | $\sigma_q^2 = \dfrac{\Delta^2}{12} + \dfrac{\Delta^2}{\pi^2}\displaystyle\sum_{k\ge1} \dfrac{(-1)^k}{k^2}\,\varphi\!\left(\dfrac{2\pi k}{\Delta}\right)$ | 重建值是 $\Delta$ 的整数倍，不截断；$\varphi(u) = \mathbb{E}[\cos(ux)]$ | [信息论基础](01_information_theory.ipynb) |
# | N4 | 量化信噪比 | $\mathrm{SQNR} = 10\log_{10}\dfrac{\mathbb{E}[x^2]}{\sigma_q^2}$ dB | 定义；功率比，所以乘 10 | [信息论基础](01_information_theory.ipynb) |
# | N5 | 每位 6.02 dB | $\mathrm{SQNR} = 6.02\,b + 4.77 - 20\log_{10}\Gamma$ dB | $\Gamma = A/\sigma$，范围 $\pm A$；没有截断 | [信息论基础](01_information_theory.ipynb) |
# | N6 | 均匀信号 | $6.02\,b$ dB | 占满范围，$\Gamma = \sqrt3$ | [信息论基础](01_information_theory.ipynb) |
# | N7 | 满幅正弦 | $6.02\,b + 1.76$ dB | 振幅等于 $A$，$\Gamma = \sqrt2$ | [信息论基础](01_information_theory.ipynb) |
# | N8 | 颗粒噪声 | $D_g \approx \dfrac{\Delta^2}{12}\,P(\lvert x\rvert \le c)$ | 范围 $\pm c$，步长足够小 | [信息论基础](01_information_theory.ipynb) |
# | N9 | 过载噪声，高斯 | $D_o = 2\left[(1+c^2)\,P(x > c) - c\,p(c)\right]$ | $\sigma = 1$，$p$ 是密度 | [信息论基础](01_information_theory.ipynb) |
# | N10 | 减性抖动 | $\hat x = Q(x+d) - d$，误差与 $x$ 独立，功率 $\Delta^2/12$ | $d$ 在 $\pm\Delta/2$ 上均匀，不截断 | [信息论基础](01_information_theory.ipynb) |
# | N11 | 最优量化器（Lloyd–Max） | $t_i = \tfrac12(y_i + y_{i+1})$，$y_i = \mathbb{E}[x \mid t_{i-1} < x \le t_i]$ | 必要条件 | [信息论基础](01_information_theory.ipynb) |
# | N12 | 它的误差 | $\mathbb{E}[\hat x\,e] = 0$，$\mathbb{E}[x\,e] = \sigma_q^2$ | 每个 $y_i$ 是它那一格的均值 | [信息论基础](01_information_theory.ipynb) |
# | N13 | 熵 | $H = -\sum_q p_q \log_2 p_q \le b$ | 等号只在各编码等概率时成立 | [信息论基础](01_information_theory.ipynb) |
# | N14 | 熵与步长 | $H \approx h - \log_2 \Delta$ | 步长足够小 | [信息论基础](01_information_theory.ipynb) |
# | N15 | 高斯的率失真函数 | $D(R) = \sigma^2\,2^{-2R}$ | 任何量化器都不能更低 | [信息论基础](01_information_theory.ipynb) |
# | N16 | 均匀量化加熵编码 | 是 $D(R)$ 的 $\pi e/6$ 倍：多 1.53 dB，或 0.254 bit | 高斯，步长足够小 | [信息论基础](01_information_theory.ipynb) |
# | S1 | 有符号整数 | $-2^{b-1} \le q \le 2^{b-1}-1$ | 补码；负的多一个 | [量化方案](02_schemes.ipynb) |
# | S2 | 无符号整数 | $0 \le q \le 2^b - 1$ | | [量化方案](02_schemes.ipynb) |
# | S3 | 两个 int4 合成一个字节 | $(q_0 \bmod 16) + 16\,(q_1 \bmod 16)$ | 先放低 4 位 | [量化方案](02_schemes.ipynb) |
# | S4 | 小浮点数 | $2^{\,e-\mathrm{bias}}\,(1 + m/2^M)$ | $e \ge 1$；$e = 0$ 时没有前面的 1 | [量化方案](02_schemes.ipynb) |
# | P1 | 范围含 0 | $x_{\min} \leftarrow \min(x_{\min}, 0)$，$x_{\max} \leftarrow \max(x_{\max}, 0)$ | 总是先做 | [量化参数](03_params.ipynb) |
# | P2 | 非对称，缩放因子 | $s = \dfrac{x_{\max}-x_{\min}}{q_{\max}-q_{\min}}$ | | [量化参数](03_params.ipynb) |
# | P3 | 非对称，零点 | $z = \operatorname{clamp}(\operatorname{round}(q_{\min} - x_{\min}/s),\, q_{\min},\, q_{\max})$ | 整数 | [量化参数](03_params.ipynb) |
# | P4 | 对称，有符号 | $z = 0$，$s = \dfrac{\max\lvert x\rvert}{2^{b-1}-1}$ | 编码 $-2^{b-1}$ 不用 | [量化参数](03_params.ipynb) |
# | P5 | 对称，用满编码 | $z = 0$，$s = \dfrac{\max\lvert x\rvert}{2^{b-1}}$ | 正的一端被截断 | [量化参数](03_params.ipynb) |
# | P6 | 对称，取中点 | $z = 0$，$s = \dfrac{\max\lvert x\rvert}{(2^b-1)/2}$ | PyTorch 的观察器（observer）用它；等于 P2 用在 $\pm\max\lvert x\rvert$ 上 | [量化参数](03_params.ipynb) |
# | P7 | 对称，无符号 | $z = 0$，$s = \dfrac{x_{\max}}{2^b-1}$ | 数据没有负值 | [量化参数](03_params.ipynb) |
# | P8 | 每个权重的位数 | $b + 32/g$ | 每 $g$ 个权重共用一个 float32 的 $s$，$z = 0$ | [量化参数](03_params.ipynb) |
# | Q1 | 量化 | $q = \operatorname{clamp}(\operatorname{round}(x/s) + z,\, q_{\min},\, q_{\max})$ | 舍入遇到一半时取偶数 | [均匀量化器](04_quantizer.ipynb) |
# | Q2 | 反量化 | $\hat x = s\,(q - z)$ | 先换成宽的类型，再相减 | [均匀量化器](04_quantizer.ipynb) |
# | Q3 | 误差界 | $\lvert x - \hat x\rvert \le s/2$ | $x$ 没有被截断 | [均匀量化器](04_quantizer.ipynb) |
# | Q4 | 幂等、单调、保零 | $Q(Q(x)) = Q(x)$；$x \le y \Rightarrow Q(x) \le Q(y)$；$Q(0) = 0$ | $Q$ 指量化再反量化 | [均匀量化器](04_quantizer.ipynb) |
# | Q5 | 直通估计器 | $\dfrac{\partial \hat x}{\partial x} := 1$（编码没有越界），否则 0 | 约定，不是导数 | [均匀量化器](04_quantizer.ipynb) |
# | I1 | 乘积的四项 | $\sum (q_1 - z_1)(q_2 - z_2) = \sum q_1 q_2 - z_2 \sum q_1 - z_1 \sum q_2 + K z_1 z_2$ | 恒等式，$K$ 是求和的项数 | [均匀量化器](04_quantizer.ipynb) |
# | I2 | 定点乘数 | $M = \dfrac{s_1 s_2}{s_3} \approx m\,2^{-31-n}$，$2^{30} \le m < 2^{31}$ | $m$、$n$ 是整数 | [均匀量化器](04_quantizer.ipynb) |
# | I3 | 重新量化 | $q_3 = \operatorname{clamp}(z_3 + \operatorname{round}(M \cdot \text{acc}),\, q_{\min},\, q_{\max})$ | acc 是 I1 的和，int32；遇到一半时远离 0 | [均匀量化器](04_quantizer.ipynb) |
# | V1 | 误差的直方图 | $e/s$ 在 $\pm\tfrac12$ 上密度为 1 | 与 N2 同 | [可视化分析](05_visualization.ipynb) |
# | V2 | 误差的频谱 | $\lvert E_k\rvert^2/N$ 平均为 $\Delta^2/12$ | 误差像白噪声，$E_k$ 是 $N$ 点傅里叶变换 | [可视化分析](05_visualization.ipynb) |

# %% [markdown]
# 来源：N2 (Bennett 1948)；N3、N10 (Widrow & Kollár)；N8、N9 (Banner et al. 2019)；N11 (Lloyd 1957/1982; Max 1960)；N13、N15 (Shannon 1948, 1959)；N14、N16 (Gish & Pierce 1968; Gray & Neuhoff 1998)；S4 (OCP Microscaling Formats 1.0)；P 和 I 两组 (Jacob et al. 2018; Krishnamoorthi 2018)；Q1、Q2 (ONNX 的 QuantizeLinear 与 DequantizeLinear)；Q5 (Bengio et al. 2013)。
#
# ## 逐组验证
#
# 下面的 `verify` 印一张表：名称、预测、测量、容差。差值超过容差，它就报错，这一章也就运行不下去。另外三个只是缩写：`params` 从数据求参数，`fit` 从数据造量化器，`grid` 直接指定格子。

# %%
def verify(rows):
    print(f"{'':36}{'predicted':>12}{'measured':>12}{'tolerance':>12}")
    for name, predicted, measured, tolerance in rows:
        print(f"{name:36}{predicted:>12.4g}{measured:>12.4g}{tolerance:>12.1g}")
        assert abs(measured - predicted) <= tolerance, name

# %%
def params(x, bits, symmetric=True, signed=True, **options):
    scheme = QuantizationScheme.from_bits(bits, signed)
    return QuantizationParams.from_tensor(torch.as_tensor(x), scheme, symmetric, **options)


def fit(x, bits, symmetric=True, **options):
    return UniformQuantizer(params(x, bits, symmetric, **options))


def grid(scale, zero, qmin, qmax):
    return UniformQuantizer(QuantizationParams(torch.tensor(scale), torch.tensor(zero), qmin, qmax))

# %% [markdown]
# ### 噪声与信噪比：N1 到 N7
#
# **先猜。** 同样 8 位，均匀信号、满幅正弦、范围取 $\pm 4\sigma$ 的高斯信号，哪个的 SQNR 最高，哪个最低？
#
# <details><summary>想好了再看</summary>
#
# 正弦最高：同样的范围里它的功率最大。高斯最低：范围要为很少出现的大值留着，大多数的值都挤在中间。噪声都是 $\Delta^2/12$，差别全在 $\Gamma$。
#
# </details>

# %%
n = 1_000_000
x, normal = samples.distribution("uniform", n), samples.distribution("normal", n)
sine = torch.sin(torch.arange(n, dtype=torch.float64))
full, wave, four = fit(x, 8, False), fit(sine, 8, False), fit([-4.0, 4.0], 6, False)
power, loaded = (x - full(x)).square().mean(), 6.02 * 6 + 4.77 - 20 * log10(4)
verify([
    ("N1 bytes of 1000 int4 codes", 1000 * 4 / 8, pack_int4(torch.zeros(1000).char()).nbytes, 0),
    ("N2 noise power, uniform, 8 bits", noise_power(full.params.scale.item()), power, 1e-7),
    ("N4 SQNR of an error of 1/10, dB", 20, sqnr_db(x, 0.9 * x), 0.001),
    ("N5 normal, loading 4, 6 bits, dB", loaded, sqnr_db(normal, four(normal)), 0.2),
    ("N6 uniform, 8 bits, dB", 6.02 * 8, sqnr_db(x, full(x)), 0.2),
    ("N7 sine, 8 bits, dB", 6.02 * 8 + 1.76, sqnr_db(sine, wave(sine)), 0.2),
])

# %% [markdown]
# N5 到 N7 的测量都略低于预测，原因在步长：公式里是范围除以 $2^b$，`quantcore` 里是范围除以 $2^b - 1$。6 位时这一点就差 $20\log_{10}(64/63)$，约 0.14 dB，所以容差取 0.2。正弦还有一层：它在峰值附近停留最久，那里的误差并不均匀。
#
# ### 公式失效的地方：N3、N8 到 N10
#
# N3：步长取 $3\sigma$，粗到 $\Delta^2/12$ 明显不对，修正以后又对了。N8、N9：范围收到 $\pm 2\sigma$，里面和外面的噪声分开算。N10：3 位的粗台阶，误差本来和信号相关（后面第 7 题会量一量）；加上抖动再减掉，就不相关了。

# %%
steps = grid(3.0, 0, -8, 7)
coarse_power = (normal - steps(normal)).square().mean()
series = sum((-1) ** k / k**2 * exp(-((2 * pi * k / 3) ** 2) / 2) for k in range(1, 9))
tail, density = erfc(2 / sqrt(2)) / 2, exp(-(2**2) / 2) / sqrt(2 * pi)
error, inner = (normal - grid(2 / 15, 0, -15, 15)(normal)).square(), normal.abs() <= 2
granular = noise_power(2 / 15) * (1 - 2 * tail)
d = 0.5 * (torch.rand(n, generator=torch.Generator().manual_seed(0)).double() - 0.5)
e = sine - (grid(0.5, 0, -4, 3)(sine + d) - d)
verify([
    ("N3 noise power, step 3", noise_power(3) + 9 / pi**2 * series, coarse_power, 0.002),
    ("N8 granular, c = 2, step 2/15", granular, (error * inner).mean(), 1e-5),
    ("N9 overload, c = 2", 2 * (5 * tail - 2 * density), (error * ~inner).mean(), 5e-4),
    ("N10 dithered noise power, step 0.5", noise_power(0.5), e.square().mean(), 1e-4),
    ("N10 correlation of e and x", 0, torch.corrcoef(torch.stack([e, sine]))[0, 1], 0.01),
])

# %% [markdown]
# ### 最优量化器，熵与率失真：N11 到 N16
#
# 步长取 $0.1\,\sigma$，编码约有 100 种。高斯的微分熵是 $h = \tfrac12\log_2(2\pi e\,\sigma^2)$。

# %%
fine = grid(0.1, 0, -128, 127)
rate, mse = entropy(fine.quantize(normal)), (normal - fine(normal)).square().mean().item()
gap = 10 * log10(mse / gaussian_distortion(rate))
best, x = lloyd_max(8, "normal"), normal.double()
x_hat = best.levels[torch.bucketize(x, best.thresholds)]
e = x - x_hat
verify([
    ("N11 Lloyd-Max, 8 levels (Max 1960)", 0.0345, best.mse, 1e-4),
    ("N12 mean of x̂ e", 0, (x_hat * e).mean(), 1e-3),
    ("N12 mean of x e", e.square().mean(), (x * e).mean(), 1e-3),
    ("N13 entropy of 16 equal codes, bits", 4, entropy(torch.arange(16)), 0),
    ("N14 entropy, step 0.1, bits", log2(2 * pi * euler) / 2 - log2(0.1), rate, 0.01),
    ("N15 D(R) at 2 bits, dB", -6.02 * 2, 10 * log10(gaussian_distortion(2.0)), 0.01),
    ("N16 above D(R), dB", 10 * log10(pi * euler / 6), gap, 0.02),
])

# %% [markdown]
# N16 的两个数是同一件事的两种说法：1.53 dB 除以每位 6.02 dB，得 0.254 bit。
#
# ### 方案：S1 到 S4
#
# **先猜。** 字节里先放 $-3$，再放 5，这个字节作为无符号数是多少？

# %%
int4, uint8 = QuantizationScheme.INT4, QuantizationScheme.UINT8
pair, seven = torch.tensor([-3, 5], dtype=torch.int8), torch.zeros(7, dtype=torch.int8)
verify([
    ("S1 int4, least code", -(2**3), int4.qmin, 0),
    ("S1 int4, greatest code", 2**3 - 1, int4.qmax, 0),
    ("S2 uint8, greatest code", 2**8 - 1, uint8.qmax, 0),
    ("S3 the byte of (-3, 5)", (-3 % 16) + 16 * (5 % 16), pack_int4(pair).item(), 0),
    ("S3 bytes of 7 codes", ceil(7 / 2), pack_int4(seven).numel(), 0),
    ("S4 FP4 E2M1, largest", 2 ** (3 - 1) * (1 + 1 / 2), float_levels(2, 1).max().item(), 0),
    ("S4 FP8 E4M3, largest", 2 ** (15 - 7) * (1 + 6 / 8), torch.finfo(torch.float8_e4m3fn).max, 0),
])

# %% [markdown]
# E4M3 的最大值里是 6/8 而不是 7/8：全 1 的那个编码留给了 NaN。
#
# ### 参数：P1 到 P8
#
# 数据取 $[2, 2.5, 3]$（P1、P2、P3），$[-1, 2]$（P3），以及标准正态样本（P4 到 P8）。

# %%
w = samples.distribution("normal", 4096).view(32, 128)
reach, grouped = w.abs().max().item(), params(w, 4, group_size=32)
shifted, mixed = params([2.0, 2.5, 3.0], 8, False, signed=False), params([-1.0, 2.0], 8, False)
verify([
    ("P1, P2 scale of [2, 2.5, 3], uint8", 3 / 255, shifted.scale, 1e-7),
    ("P3 its zero point", 0, shifted.zero_point, 0),
    ("P3 zero point of [-1, 2], int8", -128 + 85, mixed.zero_point, 0),
    ("P4 symmetric int4", reach / 7, params(w, 4).scale, 1e-6),
    ("P5 full range int4", reach / 8, params(w, 4, full_range=True).scale, 1e-6),
    ("P6 midpoint int4", reach / 7.5, params([-reach, reach], 4, False).scale, 1e-6),
    ("P7 symmetric uint4", reach / 15, params(w.abs(), 4, signed=False).scale, 1e-6),
    ("P8 bits per weight, g = 32", 4 + 32 / 32, 4 + 32 * grouped.scale.numel() / w.numel(), 0),
])

# %% [markdown]
# ### 量化器：Q1 到 Q5，V1，V2
#
# 数据是标准正态，范围只取 $[-1, 2]$，所以总有一些值被截断。误差界 Q3 只管没有被截断的那些；梯度 Q5 恰好把两种分开。

# %%
x = samples.distribution("normal").requires_grad_()
narrow = fit([-1.0, 2.0], 4, symmetric=False)
s, z = narrow.params.scale, narrow.params.zero_point
inside, codes, x_hat = narrow.in_range(x), narrow.quantize(x), narrow(x)
x_hat.sum().backward()
by_hand = ((x / s).round() + z).clamp(-8, 7)
verify([
    ("Q1 codes that differ", 0, (codes != by_hand).sum(), 0),
    ("Q2 largest difference", 0, (x_hat - s * (by_hand - z)).abs().max(), 1e-6),
    ("Q3 largest |e| / s, not clipped", 0.5, ((x - x_hat)[inside] / s).abs().max(), 0.01),
    ("Q4 largest |Q(Q(x)) - Q(x)|", 0, (narrow(x_hat) - x_hat).abs().max(), 0),
    ("Q4 steps down", 0, (narrow(x.detach().sort().values).diff() < 0).sum(), 0),
    ("Q4 Q(0)", 0, narrow(torch.zeros(1)).item(), 0),
    ("Q5 gradients of 1", inside.sum(), x.grad.sum(), 0),
])

# %% [markdown]
# V1 和 V2 换成细的台阶，步长 $0.1\,\sigma$，没有截断。把 $e/s$ 的直方图分成 10 格，再把误差的频谱分成 4 段，每一格、每一段都该是 1。

# %%
v = samples.distribution("normal", 2**20)
e = (v - fine(v)).double()
density = torch.histc(e / 0.1, 10, -0.5, 0.5) / len(e) * 10
quarters = torch.fft.rfft(e).abs().square()[1:].view(4, -1).mean(1) / len(e) / noise_power(0.1)
verify([
    ("V1 least density of e / s", 1, density.min(), 0.02),
    ("V1 greatest density of e / s", 1, density.max(), 0.02),
    ("V2 least quarter of the spectrum", 1, quarters.min(), 0.02),
    ("V2 greatest quarter of the spectrum", 1, quarters.max(), 0.02),
])

# %% [markdown]
# ### 整数运算：I1 到 I3
#
# 两个随机矩阵都用非对称量化，零点都不是 0，所以四项一项也省不掉。整数算出的编码，和「先反量化、用浮点乘、再量化」的编码比，最多差 1：两条路的舍入不一样。

# %%
generator = torch.Generator().manual_seed(0)
a, b = torch.rand(16, 64, generator=generator), torch.randn(64, 8, generator=generator)
qa, qb, qc = fit(a, 8, False), fit(b, 8, False), fit(a @ b, 8, False)
pa, pb, pc, A, B = qa.params, qb.params, qc.params, qa.quantize(a).long(), qb.quantize(b).long()
za, zb = pa.zero_point.item(), pb.zero_point.item()
acc = A @ B - zb * A.sum(1, keepdim=True) - za * B.sum(0) + 64 * za * zb
M = (pa.scale.double() * pb.scale / pc.scale).item()
m, shift = fixed_point_multiplier(M)
codes, float_codes = integer_matmul(A, B, pa, pb, pc), qc.quantize(qa(a) @ qb(b))
verify([
    ("I1 largest difference", 0, (acc - (A - za) @ (B - zb)).abs().max(), 0),
    ("I2 relative error of M", 0, abs(m.item() * 2.0 ** (-31 - shift.item()) / M - 1), 2**-31),
    ("I3 largest difference of codes", 0, (codes.int() - float_codes.int()).abs().max(), 1),
])

# %% [markdown]
# 表到这里就验完了。每一行都过了容差，否则上面会停在报错的那一格。
#
# ## 原文档的公式表
#
# 原文档在结尾列了三个公式：
#
# | 概念 | 公式 |
# |:--|:--|
# | 均匀量化 | $Q(x) = \operatorname{round}(x/s + z)$ |
# | 反量化 | $\hat x = s\,(q - z)$ |
# | 对称量化 | $z = 0,\; s = x_{\max}/2^{b-1}$ |
#
# **先猜。** 三行里有几处要改？逐行找：什么样的 $x$ 会让它出错？
#
# <details><summary>想好了再看</summary>
#
# 第一行两处：没有截断，零点加在舍入里面。第三行两处：$x_{\max}$ 应是绝对值的最大值；$2^{b-1}$ 是一种约定，用它就一定要截断，而且它和原文档自己的代码（$2^{b-1}-1$）不一致。第二行的公式是对的，但在无符号的 8 位整数里直接相减会绕回去。
#
# </details>
#
# 把它们照字面写成代码，看看后果。左列照原文档，右列是 `quantcore`。

# %%
def compare(name, wrong, right):
    print(f"{name:46}{float(wrong):11.3f}{float(right):11.3f}")

# %%
half, pair = torch.tensor(0.5), torch.tensor([-3.0, 1.0])
code, zero = torch.tensor([3], dtype=torch.uint8), torch.tensor([5], dtype=torch.uint8)
wrapped = torch.tensor(1.5 / 0.01).round().int().to(torch.int8)
full, odd = grid(1 / 8, 0, -8, 7), grid(1.0, 1, 0, 255)
print(f"{'':46}{'document':>11}{'quantcore':>11}")
compare("no clamp: 1.5 at s = 0.01, in int8", 0.01 * wrapped, grid(0.01, 0, -128, 127)(3 * half))
compare("z inside: the code of 0.5 at s = 1, z = 1", (half + 1).round(), odd.quantize(half))
compare("q - z in uint8: q = 3, z = 5, s = 1", code - zero, grid(1.0, 5, 0, 255).dequantize(code))
compare("x_max, not max|x|: -3 in [-3, 1], int4", full(pair)[0], fit(pair, 4)(pair)[0])
compare("max|x| / 2^(b-1): 1 in [-1, 1], int4", full(pair)[1], fit([-1.0, 1.0], 4)(pair)[1])

# %% [markdown]
# 第一行最凶：1.5 绕成了一个负数。最后一行不算错，只是代价要说明白：步长细了 1/8，换来最大的正值被截断。
#
# 改正以后：
#
# | 概念 | 公式 | 改了什么，为什么 |
# |:--|:--|:--|
# | 均匀量化 | $q = \operatorname{clamp}(\operatorname{round}(x/s) + z,\, q_{\min},\, q_{\max})$ | 截断是定义的一部分，没有它，编码就装不进 $b$ 位。零点在舍入之后加：舍入遇到一半时取偶数，先加一个奇数零点，奇偶就对调了；ONNX 的规定也是先舍入 |
# | 反量化 | $\hat x = s\,(q - z)$，$q$、$z$ 是整数，先转成浮点或 int32 再相减 | 公式不变。补上类型：编码是真正的整数，不是装着整数的浮点数；8 位里直接相减会溢出 |
# | 对称量化 | $z = 0$，$s = \dfrac{\max\lvert x\rvert}{2^{b-1}-1}$；或 $s = \dfrac{\max\lvert x\rvert}{2^{b-1}}$（`full_range=True`，最大的正值被截断） | $x_{\max}$ 改成 $\max\lvert x\rvert$，否则负的一边会被截断。两种除数都有人用，必须说明是哪一种；原文档的表用后一种，代码用前一种 |
#
# 两种除数各由谁用、什么时候有差别，见[量化参数](03_params.ipynb)。

# %% [markdown]
# ## 十二个易错题
#
# 先逐题回答，写下一句话。后面两格代码给每一题两个数：照错误的想法算出的，和实际的。
#
# | 题 | 问 | 章 |
# |:--|:--|:--|
# | 1 | 数据都在 $[2, 3]$ 里，那么 $x_{\min} = 2$，对吗？ | [量化参数](03_params.ipynb) |
# | 2 | 对称 int4，$\max\lvert x\rvert = 1$。除以 8、15 还是 7，最大值才原样回来？无符号呢？ | [量化参数](03_params.ipynb) |
# | 3 | 反量化是 $s\,(q + z)$ 还是 $s\,(q - z)$？零点可以是小数吗？ | [均匀量化器](04_quantizer.ipynb) |
# | 4 | 直接截去小数部分，比四舍五入差多少？ | [均匀量化器](04_quantizer.ipynb) |
# | 5 | 零点在舍入之前加，还是之后加，有区别吗？ | [均匀量化器](04_quantizer.ipynb) |
# | 6 | 误差的幅度是信号的 1/100，SQNR 是 20 dB 还是 40 dB？ | [信息论基础](01_information_theory.ipynb) |
# | 7 | 误差总是与信号无关吗？$\Delta^2/12$ 总成立吗？ | [信息论基础](01_information_theory.ipynb) |
# | 8 | 一千个 int4 编码放在 float32 张量里，占多少字节？ | [量化方案](02_schemes.ipynb) |
# | 9 | 卷积权重的第 0 轴总是输出通道吗？ | [量化参数](03_params.ipynb) |
# | 10 | 取最小值和最大值作范围，最稳妥吗？ | [量化参数](03_params.ipynb) |
# | 11 | 直通估计器让所有的梯度都通过吗？ | [均匀量化器](04_quantizer.ipynb) |
# | 12 | 两个量化矩阵相乘，只乘编码，再乘 $s_1 s_2$，对吗？ | [均匀量化器](04_quantizer.ipynb) |

# %%
x, v = torch.tensor([2.5, 1.0, 0.7]), 10 * samples.distribution("uniform")
whole, wide = fit([-1.0, 2.0], 8, False), fit([2.0, 3.0], 8, False)
s, z, q = whole.params.scale, whole.params.zero_point, whole.quantize(x)
truncated, rounded = (v - v.trunc()).square().mean(), (v - v.round()).square().mean()
print(f"{'':46}{'believed':>11}{'right':>11}")
compare(" 1  2.5, from data in [2, 3], comes back as", grid(1 / 255, 0, 0, 255)(x)[0], wide(x)[0])
compare(" 2  1.0, int4, comes back as", grid(1 / 8, 0, -8, 7)(x)[1], grid(1 / 7, 0, -8, 7)(x)[1])
compare(" 3  0.7 comes back as", s * (q + z)[2], s * (q - z)[2])
compare(" 4  noise power / step²", truncated, rounded)
compare(" 5  the code of 0.5 at s = 1, z = 1", (half + 1).round(), half.round() + 1)
compare(" 6  SQNR of an error of 1/100, dB", 10 * log10(100), sqnr_db(v, 0.99 * v))

# %%
x, spiky = samples.distribution("normal"), samples.distribution("outliers")
leaf, codes = x.clone().requires_grad_(), torch.zeros(1000, dtype=torch.int8)
fit([-1.0, 1.0], 4)(leaf).sum().backward()
correlation = torch.corrcoef(torch.stack([x, x - fit(x, 2)(x)]))[0, 1].abs()
wide, cut = fit(spiky, 4), fit(spiky, 4, method="mse")
weight = torch.nn.ConvTranspose2d(3, 8, kernel_size=2).weight
compare(" 7  |correlation| of x and e, 2 bits", 0, correlation)
compare(" 8  bytes of 1000 int4 codes", codes.float().nbytes, pack_int4(codes).nbytes)
compare(" 9  output channels of this ConvTranspose2d", weight.shape[0], weight.shape[1])
compare("10  SQNR with outliers, 4 bits, dB", *(sqnr_db(spiky, q(spiky)) for q in (wide, cut)))
compare("11  fraction of gradients that pass", 1, leaf.grad.mean())
compare("12  one entry of a product", (M * pc.scale * (A @ B))[0, 0], (qa(a) @ qb(b))[0, 0])

# %% [markdown]
# <details><summary>想好了再看：十二题的答案</summary>
#
# 1. 不对。范围总要含 0，所以 $x_{\min} = 0$。否则零点落在编码之外，截断后所有的值都变成 1.0，而且不报错。
# 2. 除以 $2^{b-1} - 1 = 7$。无符号没有负的一半，除以 $2^b - 1$。
# 3. 减。$z$ 是 0 的编码，代入 $q = z$ 应当得 0。零点必须是整数，0 才能准确地表示，整数运算也才做得成。
# 4. 误差从 $\pm\Delta/2$ 变成最大 $\Delta$，噪声功率是四倍，损失 6 dB，等于白丢一位。
# 5. 有。恰好在一半的值会变：舍入取偶数，加上奇数零点就换了奇偶。半精度里零点大时，$x/s + z$ 本身也会丢掉小数。
# 6. 40 dB。幅度比用 $20\log_{10}$，功率比用 $10\log_{10}$。1.76 dB 只属于满幅正弦。
# 7. 都不总是。位数少、信号停在格点上、信号的频率和采样同步，误差就跟着信号走。抖动可以治。
# 8. 4000 字节。换成 int8 是 1000，两个一字节才是 500。
# 9. 不是。转置卷积（`ConvTranspose2d`）的权重是（输入，输出，高，宽），输出通道在第 1 轴。
# 10. 不。离群值把步长撑大，其余的值一起受害。截掉几个，总误差反而小。
# 11. 不。编码越界的那些梯度是 0，否则输出早已不变的值，还会被一直推着走。
# 12. 不对。还有三项带零点。零点都是 0 时它们才消失。
#
# </details>

# %% [markdown]
# ## 往哪里走
#
# 下面几种方法都用在大语言模型上。每一种都可以用这门课的话说清楚。
#
# | 方法 | 它做什么 | 出处 |
# |:--|:--|:--|
# | GPTQ | 权重一列一列地舍入，每舍一列，就调整还没有舍入的列，把这一列的误差补回来。补多少，由校准数据的二阶信息决定，所以最小化的是层输出的误差，不是权重的误差。 | Frantar, Ashkboos, Hoefler, Alistarh. GPTQ: Accurate Post-Training Quantization for Generative Pre-trained Transformers. ICLR 2023 |
# | AWQ | 激活大的通道，权重也更要紧。先把这些通道的权重放大再量化，激活相应地缩小，乘积不变，误差却小了。 | Lin, Tang, Tang, Yang, Chen, Wang, Xiao, Dang, Gan, Han. AWQ: Activation-aware Weight Quantization for On-Device LLM Compression and Acceleration. MLSys 2024 |
# | SmoothQuant | 激活有离群的通道，难量化；权重平缓，容易。逐通道地把激活除以一个数、权重乘上同一个数，难度就从激活移到了权重，两边都能用 8 位。 | Xiao, Lin, Seznec, Wu, Demouth, Han. SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models. ICML 2023 |
# | LLM.int8() | 离群值集中在少数几个特征维度上，把这些维度拆出来用 16 位乘。其余的用 int8 乘，激活每行一个缩放因子，权重每列一个。 | Dettmers, Lewis, Belkada, Zettlemoyer. LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale. NeurIPS 2022 |
# | 旋转：QuaRot | 用一个正交矩阵（随机的 Hadamard 矩阵）旋转隐藏状态，离群值就摊到所有的维度上。旋转可以并进权重，网络的输出不变。 | Ashkboos, Mohtashami, Croci, Li, Cameron, Jaggi, Alistarh, Hoefler, Hensman. QuaRot: Outlier-Free 4-Bit Inference in Rotated LLMs. NeurIPS 2024 |
# | 旋转：SpinQuant | 不同的随机旋转，效果相差很大。所以用少量数据把旋转矩阵学出来，学的时候保持它正交。 | Liu, Zhao, Fedorov, Soran, Choudhary, Krishnamoorthi, Chandra, Tian, Blankevoort. SpinQuant: LLM Quantization with Learned Rotations. ICLR 2025 |
# | MX 格式 | 每 32 个数共用一个 8 位的缩放因子，它只能是 2 的幂；每个数是 FP8、FP6、FP4 或 INT8。这是逐组量化，规定成了硬件可以直接支持的标准。 | Open Compute Project. OCP Microscaling Formats (MX) Specification, version 1.0, 2023 |
#
# 想从头读理论，有两篇综述：(Gray & Neuhoff 1998) 讲量化的理论和历史，(Nagel et al. 2021) 讲神经网络量化的做法。
#
# ### 旋转为什么有用
#
# 64 个标准正态的数，把第一个换成 50。对称 int4 的步长由 50 决定，其余 63 个全部变成 0。
#
# **先猜。** 先乘一个正交矩阵，量化，再乘回来。正交变换不改变误差的总功率，也不改变信号的总功率。SQNR 会变好吗？
#
# <details><summary>想好了再看</summary>
#
# 会。总功率不变，最大值却变小了：50 被摊到 64 个分量上，每个只分到 $50/\sqrt{64}$。步长跟着最大值走，噪声跟着步长的平方走。
#
# </details>

# %%
H = torch.ones(1, 1, dtype=torch.float64)
for _ in range(6):
    H = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64), H) / 2**0.5
x = samples.distribution("normal", 64).double()
x[0] = 50
y = H @ x
for name, v, x_hat in [("as it is", x, fit(x, 4)(x)), ("rotated", y, H.T @ fit(y, 4)(y))]:
    others = sqnr_db(x[1:], x_hat[1:])
    print(f"{name:9} max {v.abs().max():5.2f}   SQNR {sqnr_db(x, x_hat):5.2f} dB", end="   ")
    print(f"of the other 63 alone {others:5.2f} dB")

# %% [markdown]
# ## 最后一张图
#
# 从第一章的问题到最后一章的答案，都在这三幅小图里。拖动位宽，勾选对称，对着图说一遍：步长是多少，误差为什么是平的，SQNR 为什么比 $6.02\,b$ 少，取消对称以后什么变了、什么没变。说得出来，这门课就学完了。

# %%
explore.quantization(samples.distribution("normal"))

# %% [markdown]
# ## 小结
#
# - 量化是有损压缩。丢掉的功率是 $\Delta^2/12$，前提是误差均匀、没有截断。
# - 多一位，步长约减半，SQNR 约多 6.02 dB。起点由信号与范围的比决定。
# - 范围宽，步长粗；范围窄，截断多。所有的校准方法都在这两者之间取舍。
# - 缩放因子定步长，零点保住 0。先舍入，再加零点，最后截断。
# - 粒度越细，缩放因子越多。数位数的时候要把它们算进去。
# - 整数乘法不需要浮点：四项、一个定点乘数、一次移位。
# - 每个公式都有条件。用之前先问条件，用之后测一测。
#
# 回到[开始](00_start.ipynb)，或者翻到任何一章。
