# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 总结：先考试，后答案
#
# 一门课学完，不看讲义，还写得出哪些公式，又躲得开哪些错误？这一章先考试，再给答案。答案是一张总表：全课主要的公式列在一处，逐条再验一遍，左边是公式的预测值，右边是实测值，对不上就报错。后面再看十二个易错题各错在哪里。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 这一课先考后讲。试卷在笔记本里，半小时，不看讲义。

# %% [markdown]
# **学完这一章，你能：**
#
# - 凭记忆答一份试卷，知道自己哪一章还要再读；
# - 找到任何一个公式，说出它成立的条件，并且当场验证；
# - 指出许多教程里常见的三个公式错在哪里，为什么这样改；
# - 回答全课的十二个易错题，能举反例的都举得出来；
# - 知道接下来可以读哪些新方法，以及每种方法用的是这门课的哪一条。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 部分 | 时间 |
# |:--|:--|
# | 考试 | 30 分钟 |
# | 公式总表 | 10 分钟 |
# | 逐组验证 | 10 分钟 |
# | 常见写法的三个公式 | 10 分钟 |
# | 十二个易错题 | 10 分钟 |
# | 往哪里走 | 10 分钟 |
# | 最后一张图 | 6 分钟 |
# | 小结 | 2 分钟 |

# %% slideshow={"slide_type": "skip"}
from math import ceil, e as euler, erfc, exp, log2, log10, pi, sqrt

import numpy as np
import torch
from torch.ao.quantization import MinMaxObserver

from quantcore import (
    QuantizationParams, QuantizationScheme, UniformQuantizer, entropy, exercises, explore,
    fixed_point_multiplier, float_levels, gaussian_distortion, integer_matmul, lloyd_max,
    noise_power, pack_int4, samples, sqnr_db,
)
from quantcore.integer import requantize

# %% slideshow={"slide_type": "skip"}
explore.set_language("zh")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 考试
#
# 试卷有 24 题，半小时答完，可以用纸笔和计算器，先不看下面的总表。
#
# - 前十二题各给一个公式的名称和条件，在四个式子里选一个。题目从总表里抽取，编号与总表相同；错的式子大多是常见的错误。
# - 后十二题是全课的十二个易错点，各要一个数，分数如 `1/12` 也可以。小数保留三位有效数字，要整数的题写整数。
#
# 全部答完再交卷。交卷以后，每一题会告诉你答得对不对，后十二题还会指出错在哪里，最后是得分和建议再读的章。答错的题改了可以再交。在笔记本里还可以再考一次，题目和数字都换新的。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 考试时把投影停在这一页。交卷以后，请全班说出错得最多的一题。

# %% [markdown] slideshow={"slide_type": "skip"}
# **【计算】** 运行下面的单元格，答完整份试卷。24 题里你估计自己能答对几题？交卷以前先写下来。

# %% slideshow={"slide_type": "skip"}
exercises.exam()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 公式总表
#
# 从这里开始是答案。试卷里选择题的编号就是下表的编号：答错的那一题，把公式和条件一起再读一遍。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 不念总表。每组抽三个编号，各写一行验证，再与下面的单元格对照。

# %% [markdown]
# 编号的字母是组：N 噪声与信息，S 方案，P 参数，Q 量化器，I 整数运算，V 可视化，T 网络。“截断”都指**饱和截断**（clipping）。最后一列是讲解并验证这个公式的那一章；在那一章里，公式下面或旁边也写着编号。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 编号 | 名称 | 公式 | 条件 | 章 |
# |:--|:--|:--|:--|:--|
# | N1 | 存储 | $N\,b/8$ 字节 | $N$ 个编码，紧密排列 | [信息论基础](01_information_theory.ipynb) |
# | N2 | 量化噪声功率 | $\sigma_q^2 = \Delta^2/12$ | 误差在一个步长里均匀分布 | [信息论基础](01_information_theory.ipynb) |
# | N3 | 噪声功率的修正 | $\sigma_q^2 = \dfrac{\Delta^2}{12} + \dfrac{\Delta^2}{\pi^2}\displaystyle\sum_{k\ge1} \dfrac{(-1)^k}{k^2}\,\varphi\!\left(\dfrac{2\pi k}{\Delta}\right)$ | 重建值是 $\Delta$ 的整数倍，没有截断；$\varphi(u) = \mathbb{E}[\cos(ux)]$ | [信息论基础](01_information_theory.ipynb) |
# | N4 | 量化信噪比 | $\mathrm{SQNR} = 10\log_{10}\dfrac{\mathbb{E}[x^2]}{\sigma_q^2}$ dB | 定义；功率之比，所以乘 10 | [信息论基础](01_information_theory.ipynb) |
# | N5 | 每位 6.02 dB | $\mathrm{SQNR} = 6.02\,b + 4.77 - 20\log_{10}\Gamma$ dB | $\Gamma = A/\sigma$，范围 $\pm A$；没有截断，且 N2 成立 | [信息论基础](01_information_theory.ipynb) |
# | N6 | 均匀信号 | $6.02\,b$ dB | 占满范围，$\Gamma = \sqrt3$；N2 成立 | [信息论基础](01_information_theory.ipynb) |
# | N7 | 满幅正弦 | $6.02\,b + 1.76$ dB | 振幅等于 $A$，$\Gamma = \sqrt2$；N2 成立 | [信息论基础](01_information_theory.ipynb) |
# | N8 | 颗粒噪声 | $D_g \approx \dfrac{\Delta^2}{12}\,P(\lvert x\rvert \le c)$ | 范围 $\pm c$，步长足够小 | [信息论基础](01_information_theory.ipynb) |
# | N9 | 过载噪声，高斯 | $D_o = 2\left[(1+c^2)\,P(x > c) - c\,f(c)\right]$ | $\sigma = 1$，$f$ 是密度 | [信息论基础](01_information_theory.ipynb) |
# | N10 | 减性抖动 | $\hat x = Q(x+d) - d$，误差与 $x$ 独立，功率 $\Delta^2/12$ | $d$ 在 $\pm\Delta/2$ 上均匀，没有截断 | [信息论基础](01_information_theory.ipynb) |
# | N11 | 最优量化器（Lloyd–Max） | $t_i = \tfrac12(y_i + y_{i+1})$，$y_i = \mathbb{E}[x \mid t_{i-1} < x \le t_i]$ | 必要条件；$\log f$ 是凹函数时也充分 | [率失真](01b_rate_distortion.ipynb) |
# | N12 | 最优量化器的误差 | $\mathbb{E}[\hat x\,e] = 0$，$\mathbb{E}[x\,e] = \sigma_q^2$ | 每个 $y_i$ 是所在量化区间的均值 | [率失真](01b_rate_distortion.ipynb) |
# | N13 | 熵 | $H = -\sum_q p_q \log_2 p_q \le b$ | 等号只在各编码等概率时成立 | [率失真](01b_rate_distortion.ipynb) |
# | N14 | 熵与步长 | $H \approx h - \log_2 \Delta$ | 步长足够小 | [率失真](01b_rate_distortion.ipynb) |
# | N15 | 高斯的率失真函数 | $D(R) = \sigma^2\,2^{-2R}$ | 独立同分布的高斯信号，任何量化器都不能更低 | [率失真](01b_rate_distortion.ipynb) |
# | N16 | 均匀量化加熵编码 | 是 $D(R)$ 的 $\pi\mathrm{e}/6$ 倍：多 1.53 dB，或 0.255 比特 | 高斯，步长足够小 | [率失真](01b_rate_distortion.ipynb) |
# | N17 | 随机舍入 | $\mathbb{E}[\hat x \mid x] = x$，噪声功率平均为 $2\cdot\Delta^2/12$ | 没有截断；向上的概率是 $x$ 在两级之间的相对位置；第二式还要求 N2 的条件 | [信息论基础](01_information_theory.ipynb) |
# | N18 | 误差之和 | 均方根 $\sqrt{(N\mu)^2 + N\sigma_e^2}$ | $N$ 个独立的误差，均值 $\mu$，标准差 $\sigma_e$ | [信息论基础](01_information_theory.ipynb) |
# | N19 | 不等距量化的误差 | $D \approx \dfrac{1}{12\,L^2}\left(\displaystyle\int f(x)^{1/3}\,\mathrm{d}x\right)^{3}$ | 密度光滑，级的个数 $L$ 很大；重建值的密度与 $f^{1/3}$ 成正比 | [率失真](01b_rate_distortion.ipynb) |
# | N20 | 霍夫曼码的平均码长 | $H \le \sum_q p_q \ell_q < H + 1$ | 逐个编码；至少有两种编码 | [率失真](01b_rate_distortion.ipynb) |
# | S1 | 有符号整数 | $-2^{b-1} \le q \le 2^{b-1}-1$ | 补码；负的多一个 | [量化方案](02_schemes.ipynb) |
# | S2 | 无符号整数 | $0 \le q \le 2^b - 1$ | $b$ 位都用来表示数值 | [量化方案](02_schemes.ipynb) |
# | S3 | 两个 int4 合成一个字节 | $(q_0 \bmod 16) + 16\,(q_1 \bmod 16)$ | 先放低 4 位 | [量化方案](02_schemes.ipynb) |
# | S4 | 小浮点数 | $2^{E-\mathrm{bias}}\,(1 + T/2^{w_{\mathrm m}})$；$E = 0$ 时 $2^{1-\mathrm{bias}}\,T/2^{w_{\mathrm m}}$ | $E$ 是指数位的值，$T$ 是尾数位的值，$w_{\mathrm m}$ 是尾数的位数 | [量化方案](02_schemes.ipynb) |
# | S5 | 浮点格式的量化信噪比 | $6.02\,w_{\mathrm m} + 13.46$ dB | 数据分布在若干个相邻 2 的幂之间的区间里，没有溢出 | [量化方案](02_schemes.ipynb) |
# | S6 | INT8 与 FP8 相等的地方 | $20\log_{10}\Gamma = 6.02\,(b - w_{\mathrm m}) + 4.77 - 13.46$ | N5 和 S5 都成立 | [量化方案](02_schemes.ipynb) |
# | P1 | 范围含 0 | $x_{\min} \leftarrow \min(x_{\min}, 0)$，$x_{\max} \leftarrow \max(x_{\max}, 0)$ | 总是先做 | [量化参数](03_params.ipynb) |
# | P2 | 非对称，缩放因子 | $s = \dfrac{x_{\max}-x_{\min}}{q_{\max}-q_{\min}}$ | P1 之后 | [量化参数](03_params.ipynb) |
# | P3 | 非对称，零点 | $z = \operatorname{clamp}(\operatorname{rint}(q_{\min} - x_{\min}/s),\, q_{\min},\, q_{\max})$ | 整数 | [量化参数](03_params.ipynb) |
# | P4 | 对称，有符号 | $z = 0$，$s = \dfrac{\max\lvert x\rvert}{2^{b-1}-1}$ | `minmax` 时编码 $-2^{b-1}$ 不出现 | [量化参数](03_params.ipynb) |
# | P5 | 对称，用满编码 | $z = 0$，$s = \dfrac{\max\lvert x\rvert}{2^{b-1}}$ | 最大值为正时，正的一端被截断 | [量化参数](03_params.ipynb) |
# | P6 | 对称，取中点 | $z = 0$，$s = \dfrac{\max\lvert x\rvert}{(2^b-1)/2}$ | PyTorch 的对称观察器（observer），编码取 $[-2^{b-1}, 2^{b-1}-1]$ 时；等于 P2 用在 $\pm\max\lvert x\rvert$ 上 | [量化参数](03_params.ipynb) |
# | P7 | 对称，无符号 | $z = 0$，$s = \dfrac{x_{\max}}{2^b-1}$ | 数据没有负值 | [量化参数](03_params.ipynb) |
# | P8 | 每个权重的位数 | $b + 32/g$ | 每 $g$ 个权重共用一个 float32 的 $s$，$z = 0$；$s$ 为 16 位时是 $b + 16/g$ | [量化参数](03_params.ipynb) |
# | P9 | 范围两端的误差 | $s\,(z - z^*)$，$\lvert e\rvert \le s/2$ | $z^* = q_{\min} - x_{\min}/s$ | [量化参数](03_params.ipynb) |
# | P10 | 包含 0 的代价 | $20\log_{10}\dfrac{\max(x_{\max},0) - \min(x_{\min},0)}{x_{\max}-x_{\min}}$ dB | 步长足够小，没有截断 | [量化参数](03_params.ipynb) |
# | P11 | 除以 $2^{b-1}$ 的得益 | $20\log_{10}\dfrac{2^{b-1}}{2^{b-1}-1} - 10\log_{10}\Big(1+\dfrac{6}{n-1}\Big)$ dB | $n$ 个数共用 $s$，最大值的正负机会均等，步长足够小 | [量化参数](03_params.ipynb) |
# | P12 | 超出校准范围的概率 | $\dfrac{1}{n+1}$ | $n$ 个校准样本的最大值作范围；新样本来自同一总体 | [量化参数](03_params.ipynb) |
# | Q1 | 量化 | $q = \operatorname{clamp}(\operatorname{rint}(x/s) + z,\, q_{\min},\, q_{\max})$ | rint 遇到半整数时取偶数 | [均匀量化器](04_quantizer.ipynb) |
# | Q2 | 反量化 | $\hat x = s\,(q - z)$ | 先换成宽的类型，再相减 | [均匀量化器](04_quantizer.ipynb) |
# | Q3 | 误差界 | $\lvert x - \hat x\rvert \le s/2$ | $x$ 没有被截断 | [均匀量化器](04_quantizer.ipynb) |
# | Q4 | 幂等、单调、保零 | $Q(Q(x)) = Q(x)$；$x \le y \Rightarrow Q(x) \le Q(y)$；$Q(0) = 0$ | $Q$ 指量化再反量化 | [均匀量化器](04_quantizer.ipynb) |
# | Q5 | 直通估计器（STE） | $\dfrac{\partial \hat x}{\partial x} := 1$（编码没有越界），否则 0 | 约定，不是导数 | [均匀量化器](04_quantizer.ipynb) |
# | Q6 | 步长的梯度（LSQ） | $\dfrac{\partial\hat x}{\partial s} := \operatorname{rint}\!\Big(\dfrac xs\Big) - \dfrac xs$；截断的值是 $q_{\min}$ 或 $q_{\max}$ | $z = 0$；约定 rint 的导数是 1 | [均匀量化器](04_quantizer.ipynb) |
# | I1 | 乘积的四项 | $\sum (q_1 - z_1)(q_2 - z_2) = \sum q_1 q_2 - z_2 \sum q_1 - z_1 \sum q_2 + K z_1 z_2$ | 恒等式，$K$ 是求和的项数 | [只用整数](04b_integer.ipynb) |
# | I2 | 定点乘数 | $M = \dfrac{s_1 s_2}{s_3} \approx m\,2^{-31-n}$，$2^{30} \le m < 2^{31}$ | $m$、$n$ 是整数 | [只用整数](04b_integer.ipynb) |
# | I3 | 重新量化 | $q_3 = \operatorname{clamp}(z_3 + M \cdot \text{acc},\, q_{\min},\, q_{\max})$，$M \cdot \text{acc}$ 舍入两次 | acc 是 I1 的和，int32。取高位时半整数向上，右移时半整数向远离零的方向，所以结果偶尔与舍入一次差 1 | [只用整数](04b_integer.ipynb) |
# | I4 | 累加的项数 | $K \le \left\lfloor\dfrac{2^{B-1}-1}{a_1 a_2}\right\rfloor$ | 因子的绝对值不超过 $a_1$、$a_2$，累加器 $B$ 位 | [只用整数](04b_integer.ipynb) |
# | I5 | 二次舍入出错的比例 | 约 $2^{-(n+1)}$ | $n \ge 1$，和的低位均匀 | [只用整数](04b_integer.ipynb) |
# | V1 | 误差的直方图 | $e/s$ 在 $\pm\tfrac12$ 上密度为 1 | 与 N2 同 | [可视化分析](05_visualization.ipynb) |
# | V2 | 误差的频谱 | 每根线 $\lvert F_k\rvert^2/N$ 的期望都是 $s^2/12$ | 误差是白噪声，$F_k$ 是 $N$ 点傅里叶变换 | [可视化分析](05_visualization.ipynb) |
# | V3 | `minmax` 的量化信噪比 | $10\log_{10}\!\big(12\,(2^{b-1}-1)^2\big) - 20\log_{10}\dfrac{\max\lvert x\rvert}{x_{\mathrm{rms}}}$ dB | 对称有符号；N2 成立 | [可视化分析](05_visualization.ipynb) |
# | T1 | 并入批归一化 | $w' = \dfrac{\gamma}{\sigma}\,w$，$\mathrm{bias}' = \tau - \dfrac{\gamma}{\sigma}\,\mu$ | 训练结束以后，$\mu$、$\sigma$ 不再变化 | [一个真实的网络](05b_network.ipynb) |
# | T2 | 逐层的误差 | $D \approx \sum_k D_k$ | 各层的误差互不相关，步长足够小 | [一个真实的网络](05b_network.ipynb) |
# | T3 | 逐通道的得益 | 第 $j$ 个通道 $20\log_{10}\dfrac{\max\lvert w\rvert}{\max\lvert w_j\rvert}$ dB | 步长足够小 | [一个真实的网络](05b_network.ipynb) |
# | T4 | 文件的字节 | $\displaystyle\sum_k \left(\left\lceil\frac{N_k b_k}{8}\right\rceil + 8\,C_k + 5\right)$ | 逐通道；$s$、偏置各 4 字节，输入的 $s$、$z$ 共 5 字节；不含文件头 | [一个真实的网络](05b_network.ipynb) |

# %% [markdown] slideshow={"slide_type": "skip"}
# 出处：N2（[Bennett，1948](references.ipynb)）；N3、N10（[Widrow & Kollár，2008](references.ipynb)）；N9（[Banner 等，2019](references.ipynb)），N8 是 N2 限制在范围以内；N11（[Lloyd，1982](references.ipynb)；[Max，1960](references.ipynb)）；N13、N15（[Shannon，1948](references.ipynb)；[Shannon，1959](references.ipynb)）；N14、N16（[Gish & Pierce，1968](references.ipynb)；[Gray & Neuhoff，1998](references.ipynb)）；S3、Q1、Q2（[ONNX，2024](references.ipynb)）；S4（[Open Compute Project，2023](references.ipynb)）；P1 到 P4、I 组（[Jacob 等，2018](references.ipynb)；[Krishnamoorthi，2018](references.ipynb)）；N17（[Gupta 等，2015](references.ipynb)）；N19（[Panter & Dite，1951](references.ipynb)）；N20（[Huffman，1952](references.ipynb)）；Q5（[Bengio 等，2013](references.ipynb)，掩码见[均匀量化器](04_quantizer.ipynb)）；Q6（[Esser 等，2020](references.ipynb)）。其余的在课里推导或说明。

# %% [markdown] slideshow={"slide_type": "skip"}
# ## 逐组验证
#
# 下面的 `verify` 输出一张表：名称、预测值、实测值、容差。差值超过容差，`verify` 就报错，这一章也就运行不下去。另外三个是辅助函数：`params` 从数据求参数，`fit` 从数据造量化器，`with_step` 直接指定网格。验证的代码折叠起来了，想看哪一行怎样测，展开单元格即可。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def verify(rows):
    print(f"{'':40}{'predicted':>12}{'measured':>12}{'tolerance':>12}")
    for name, predicted, measured, tolerance in rows:
        print(f"{name:40}{predicted:>12.4g}{measured:>12.4g}{tolerance:>12.1g}")
        assert abs(measured - predicted) <= tolerance, name


# %% tags=["fold"] slideshow={"slide_type": "skip"}
def params(x, bits, symmetric=True, signed=True, **options):
    scheme = QuantizationScheme.from_bits(bits, signed)
    return QuantizationParams.from_tensor(torch.as_tensor(x), scheme, symmetric, **options)


def fit(x, bits, symmetric=True, **options):
    return UniformQuantizer(params(x, bits, symmetric, **options))


def with_step(scale, zero, qmin, qmax):
    return UniformQuantizer(QuantizationParams(torch.tensor(scale), torch.tensor(zero), qmin, qmax))


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 噪声与信噪比：N1 到 N7
#
# **【预测】** 同样 8 位，均匀信号、满幅正弦、范围取 $\pm 5\sigma$ 的高斯信号，哪个的 SQNR 最高，哪个最低？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 三种信号谁最高？先举手。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def cells(x, reach, bits):  # 2^b cells of equal width from -reach to reach
    step = 2 * reach / 2**bits
    middle = with_step(step, 0, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return middle(x - step / 2) + step / 2


# %% tags=["fold", "predict"] slideshow={"slide_type": "fragment"}
n = 1_000_000
x, normal = samples.distribution("uniform", n), samples.distribution("normal", n)
sine = torch.sin(torch.arange(n, dtype=torch.float64))
full, loaded = fit(x, 8, False), 6.02 * 8 + 4.77 - 20 * log10(5)
power = (x - full(x)).square().mean()
verify([
    ("N1 bytes of 1000 int4 codes", 1000 * 4 / 8, pack_int4(torch.zeros(1000).char()).nbytes, 0),
    ("N2 noise power, uniform, 8 bits", noise_power(full.params.scale.item()), power, 1e-7),
    ("N4 SQNR of an error of 1/10, dB", 20, sqnr_db(x, 0.9 * x), 0.001),
    ("N5 normal, loading 5, 8 bits, dB", loaded, sqnr_db(normal, cells(normal, 5, 8)), 0.1),
    ("N6 uniform, 8 bits, dB", 6.02 * 8, sqnr_db(x, cells(x, 3**0.5, 8)), 0.1),
    ("N7 sine, 8 bits, dB", 6.02 * 8 + 1.76, sqnr_db(sine, cells(sine, 1, 8)), 0.2),
])

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 正弦最高：同样的范围里它的功率最大。高斯最低：范围要为很少出现的大值留着，大多数的值都挤在中间。三者的噪声都接近 $\Delta^2/12$，差别在 $\Gamma$。
#
# 这里的步长照公式取范围除以 $2^b$，重建值在每个量化区间的正中。非对称量化时，`quantcore` 让最外面的两级落在范围的两端，步长是范围除以 $2^b - 1$，所以会低一点：8 位时低 $20\log_{10}(256/255)$，约 0.03 dB。正弦的实测值略低于预测值：它在峰值附近停留最久，那里的误差并不均匀。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 公式失效的地方：N3、N8 到 N10，N17、N18
#
# N3：步长取 $6\sigma$，粗到 $\Delta^2/12$ 是实际噪声的三倍，修正以后又对了。N8、N9：范围收到 $\pm 2\sigma$，里面和外面的噪声分开算。N10：3 位的粗台阶，不加抖动时误差与信号相关；加上抖动再减掉，误差与信号、误差的平方与信号的平方都不相关。N17、N18：随机舍入的噪声功率是舍入到最近时的两倍，但没有偏差，所以一千个误差之和比截尾小得多。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 问：哪几条公式在这门课里失效过？请学生说出失效的条件。

# %% tags=["fold"]
steps = with_step(6.0, 0, -8, 7)
coarse_power = (normal - steps(normal)).square().mean()
series = sum((-1) ** k / k**2 * exp(-((2 * pi * k / 6) ** 2) / 2) for k in range(1, 9))
tail, density = erfc(2 / sqrt(2)) / 2, exp(-(2**2) / 2) / sqrt(2 * pi)
error, inner = (normal - with_step(2 / 15, 0, -15, 15)(normal)).square(), normal.abs() <= 2
granular = noise_power(2 / 15) * (1 - 2 * tail)
verify([
    ("N3 noise power, step 6", noise_power(6) + 36 / pi**2 * series, coarse_power, 0.005),
    ("N8 granular, c = 2, step 2/15", granular, (error * inner).mean(), 1e-5),
    ("N9 overload, c = 2", 2 * (5 * tail - 2 * density), (error * ~inner).mean(), 5e-4),
])

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def correlation(a, b):
    return torch.corrcoef(torch.stack([a, b]))[0, 1].item()


d = 0.5 * (torch.rand(n, generator=torch.Generator().manual_seed(0)).double() - 0.5)
plain, e = (sine - (with_step(0.5, 0, -4, 3)(sine + v) - v) for v in (0 * d, d))
verify([
    ("N10 dithered noise power, step 0.5", noise_power(0.5), e.square().mean(), 1e-4),
    ("N10 correlation of e and x", 0, correlation(e, sine), 0.01),
    ("N10 correlation of their squares", 0, correlation(e.square(), sine.square()), 0.01),
])
print(f"without dither: noise power {plain.square().mean():.4f}", end=", ")
print(f"correlation of e and x {correlation(plain, sine):.3f}")

# %% tags=["fold"] slideshow={"slide_type": "skip"}
u = torch.rand(n, generator=torch.Generator().manual_seed(1)).double()
e = 0.5 * ((normal / 0.5 + u).floor() - normal / 0.5)  # stochastic rounding, step 0.5
cut = normal.double() - 0.01 * (normal.double() / 0.01).floor()  # truncation, step 0.01
spread = {k: sqrt((k * 0.005) ** 2 + k * noise_power(0.01)) for k in (2, 1000)}
sums = {k: cut.view(-1, k).sum(1).square().mean().sqrt() for k in spread}
verify([
    ("N17 mean error, stochastic rounding", 0, e.mean(), 1e-3),
    ("N17 its noise power", 2 * noise_power(0.5), e.square().mean(), 1e-3),
    ("N18 sum of 2 truncated values", spread[2], sums[2], 1e-4),
    ("N18 sum of 1000 truncated values", spread[1000], sums[1000], 0.005),
])


# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 最优量化器，熵与率失真：N11 到 N16，N19、N20
#
# 步长取 $0.1\,\sigma$，编码约有 100 种。高斯的微分熵是 $h = \tfrac12\log_2(2\pi\mathrm{e}\,\sigma^2)$。N12 逐个量化区间检查误差的均值：只有重建值真的在质心，它们才都是 0。N15 把 2 到 64 级的 Lloyd–Max 量化器和各种步长的均匀量化加熵编码都拿来比，没有一个低于 $D(R)$。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 只给选读 01b 的班讲。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
fine = with_step(0.1, 0, -128, 127)
rate, mse = entropy(fine.quantize(normal)), (normal - fine(normal)).square().mean().item()
best, x_best = lloyd_max(8, "normal"), normal.double()
cell = torch.bucketize(x_best, best.thresholds)
e_best = x_best - best.levels[cell]
in_cell = torch.bincount(cell, e_best) / torch.bincount(cell)
coded = [(entropy(q.quantize(normal)), (normal - q(normal)).square().mean().item())
         for q in (with_step(s, 0, -128, 127) for s in (0.1, 0.3, 1.0, 2.0))]
fixed = [(log2(levels), lloyd_max(levels, "normal").mse) for levels in (2, 4, 8, 16, 32, 64)]
gaps = [10 * log10(d / gaussian_distortion(r)) for r, d in coded + fixed]

# %% tags=["fold"]
four_symbols = torch.tensor([0] * 4 + [1] * 2 + [2, 3])
verify([
    ("N11 Lloyd-Max, 8 levels (Max 1960)", 0.0345, best.mse, 1e-4),
    ("N12 largest mean error in a cell", 0, in_cell.abs().max(), 0.01),
    ("N12 mean of x e", e_best.square().mean(), (x_best * e_best).mean(), 1e-3),
    ("N13 entropy of 1/2, 1/4, 1/8, 1/8, bits", 1.75, entropy(four_symbols), 0),
    ("N14 entropy, step 0.1, bits", log2(2 * pi * euler) / 2 - log2(0.1), rate, 0.01),
    ("N15 quantizers below D(R), of 10", 0, sum(gap < 0 for gap in gaps), 0),
    ("N16 above D(R), dB", 10 * log10(pi * euler / 6), gaps[0], 0.02),
    ("N16 the same in bits", log2(pi * euler / 6) / 2, gaps[0] / (20 * log10(2)), 0.004),
])

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def code_length(counts):  # total length of a Huffman code, in bits
    heap, total = sorted(counts), 0
    while len(heap) > 1:
        merged = heap[0] + heap[1]
        heap, total = sorted([merged, *heap[2:]]), total + merged
    return total


# %% tags=["fold"] slideshow={"slide_type": "skip"}
thirds = torch.exp(-(torch.linspace(-12, 12, 24001, dtype=torch.float64) ** 2) / 6)
integral = (thirds / (2 * pi) ** (1 / 6)).sum().item() * 0.001
codes = torch.tensor([0] * 4 + [1] * 3 + [2] * 2 + [3])
length, bits, many = code_length([4, 3, 2, 1]) / 10, entropy(codes), lloyd_max(256, "normal")
verify([
    ("N19 MSE * L^2, Lloyd-Max, L = 256", integral**3 / 12, many.mse * 256**2, 0.04),
    ("N20 Huffman length - H in [0, 1)", 0.5, length - bits, 0.5),
])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 方案：S1 到 S6
#
# **【计算】** 字节里先放 $-3$，再放 5，这个字节作为无符号数是多少？

# %% [markdown] slideshow={"slide_type": "skip"}
# S1、S2 的实测值不靠 `quantcore`：把 $b$ 位的全部编码列出来（S1 先移到 int8 的高位，再移回来），看最小和最大是多少。S4 里 E4M3 的最小正数，是 PyTorch 由编码 1 解出来的。

# %% tags=["fold", "predict"] slideshow={"slide_type": "fragment"}
codes, read = torch.arange(16, dtype=torch.uint8), torch.tensor([1, 126], dtype=torch.uint8)
signed = (codes << 4).view(torch.int8) >> 4
tiny, large = read.view(torch.float8_e4m3fn).tolist()
pair, seven = torch.tensor([-3, 5], dtype=torch.int8), torch.zeros(7, dtype=torch.int8)
fp4 = float_levels(2, 1)
verify([
    ("S1 least code of 4 bits, signed", -(2**3), signed.min(), 0),
    ("S1 greatest", 2**3 - 1, signed.max(), 0),
    ("S2 greatest code of 4 bits, unsigned", 2**4 - 1, codes.max(), 0),
    ("S3 the byte of (-3, 5)", (-3 % 16) + 16 * (5 % 16), pack_int4(pair).item(), 0),
    ("S3 bytes of 7 codes", ceil(7 / 2), pack_int4(seven).numel(), 0),
    ("S4 FP4 E2M1, least above 0", 2 ** (1 - 1) * 1 / 2, fp4[fp4 > 0].min(), 0),
    ("S4 FP8 E4M3, least above 0", 2 ** (1 - 7) * 1 / 8, tiny, 0),
    ("S4 FP8 E4M3, largest", 2 ** (15 - 7) * (1 + 6 / 8), large, 0),
])

# %% [markdown] slideshow={"slide_type": "notes"}
# E4M3 的最大值里是 6/8 而不是 7/8：全 1 的那个编码留给了 NaN。S5、S6 用高斯数据：E4M3 的 $w_{\mathrm m} = 3$；INT8 的范围取 S6 给出的 $\Gamma$，两者就该打平。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
gamma = 10 ** ((6.02 * (8 - 3) + 4.77 - 13.46) / 20)
eight, small = cells(normal, gamma, 8), normal.to(torch.float8_e4m3fn).float()
verify([
    ("S5 FP8 E4M3, normal, dB", 6.02 * 3 + 13.46, sqnr_db(normal, small), 0.2),
    ("S6 INT8 less E4M3, dB", 0, sqnr_db(normal, eight) - sqnr_db(normal, small), 0.3),
])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 参数：P1 到 P12
#
# 数据取 $[2, 2.5, 3]$（P1、P2），$[-1, 3]$ 和 $[-1, 1.8]$（P3，这时 $q_{\min} - x_{\min}/s$ 是 $-64.25$ 和 $-36.93$，都要舍入），以及标准正态样本（P4 到 P8）。P4、P6、P7 与 PyTorch 的观察器比较：对称的观察器用编码范围的一半作除数，编码取 $[-7, 7]$ 时就是 P4，取 $[-8, 7]$ 时是 P6；P7 用的是非对称的观察器。P8 数的是真正的字节。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 看实测与预测差多少，再问：容差是谁定的，够严吗？

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def observed(x, qmin, qmax, scheme=torch.per_tensor_symmetric):
    kind = torch.qint8 if qmin < 0 else torch.quint8
    observer = MinMaxObserver(kind, scheme, quant_min=qmin, quant_max=qmax)
    observer(x)
    return observer.calculate_qparams()[0].item()


# %% tags=["fold"]
w = samples.distribution("normal", 4096).view(32, 128)
grouped, reach = fit(w, 4, group_size=32), w.abs().max()
stored = pack_int4(grouped.quantize(w)).nbytes + grouped.params.scale.float().nbytes
shifted, mixed = params([2.0, 2.5, 3.0], 8, False, signed=False), params([-1.0, 3.0], 8, False)
affine = observed(w.abs(), 0, 15, torch.per_tensor_affine)
verify([
    ("P1, P2 scale of [2, 2.5, 3], uint8", 3 / 255, shifted.scale, 1e-7),
    ("P3 zero point of [-1, 3], int8", -64, mixed.zero_point, 0),
    ("P3 zero point of [-1, 1.8], int8", -37, params([-1.0, 1.8], 8, False).zero_point, 0),
    ("P4 as PyTorch, codes -7 to 7", observed(w, -7, 7), params(w, 4).scale, 1e-6),
    ("P5 largest |x| in steps", 8, reach / params(w, 4, full_range=True).scale, 1e-5),
    ("P6 as PyTorch, codes -8 to 7", observed(w, -8, 7), reach / 7.5, 1e-6),
    ("P7 as PyTorch, uint4", affine, params(w.abs(), 4, signed=False).scale, 1e-6),
    ("P8 bits per weight, g = 32", 4 + 32 / 32, 8 * stored / w.numel(), 0),
])

# %% [markdown] slideshow={"slide_type": "skip"}
# P9 看范围 $[-1, 1.8]$ 的左端；P10 取 $[2, 3]$ 上均匀的数，与一张不含 0 的网格比较；P11 取三千组高斯数，每组 64 个，8 位；P12 每次用 9 个样本校准，再看第 10 个。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
ends, inner = torch.tensor([-1.0, 1.8]), torch.linspace(2, 3, 100_001)
coarse, own = fit(ends, 4, False), 2 + torch.round((inner - 2) * 255) / 255
s, z = coarse.params.scale, coarse.params.zero_point
loss = sqnr_db(inner, own) - sqnr_db(inner, fit(inner, 8, False)(inner))
groups = samples.distribution("normal", 64 * 3000).view(3000, 64)
pair = [fit(groups, 8, axis=0, full_range=full)(groups) for full in (False, True)]
gain = 10 * torch.log10((groups - pair[0]).square().mean() / (groups - pair[1]).square().mean())
tens = normal[:900_000].view(-1, 10).abs()
beyond = (tens[:, 9] > tens[:, :9].amax(1)).double().mean()
verify([
    ("P9 error at the left end", s * (z - (-8 + 1 / s)), -1 - coarse(ends)[0], 1e-6),
    ("P10 loss of [2, 3], dB", 20 * log10(3), loss, 0.05),
    ("P11 gain of 2^7, n = 64, dB", 20 * log10(128 / 127) - 10 * log10(1 + 6 / 63), gain, 0.05),
    ("P12 the tenth is beyond nine", 1 / 10, beyond, 0.005),
])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 量化器：Q1 到 Q6，V1 到 V3
#
# 数据是标准正态，再加上恰好在两级正中的 $s\,(k + \tfrac12)$，范围只取 $[-1, 2]$，所以总有一些值被截断。结果与按定义写的一行 numpy 对照。误差界 Q3 只管没有被截断的那些；梯度 Q5 恰好对它们是 1，对其余的是 0，逐个元素比较。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
narrow_q = fit([-1.0, 2.0], 4, symmetric=False)
s_q, z_q = narrow_q.params.scale, narrow_q.params.zero_point
ties = s_q * (torch.arange(-20, 20) + 0.5)
x_q = torch.cat([samples.distribution("normal"), ties]).requires_grad_()
codes_q, x_hat_q = narrow_q.quantize(x_q), narrow_q(x_q)
x_hat_q.sum().backward()
unclamped = np.rint(x_q.detach().numpy() / s_q.numpy()) + z_q.numpy()
by_hand = torch.from_numpy(unclamped.clip(-8, 7))
inside = torch.from_numpy((unclamped >= -8) & (unclamped <= 7))
largest = ((x_q - x_hat_q)[inside] / s_q).abs().max()

# %% tags=["fold"]
verify([
    ("Q1 codes that differ from numpy's", 0, (codes_q != by_hand).sum(), 0),
    ("Q2 largest difference from numpy's", 0, (x_hat_q - s_q * (by_hand - z_q)).abs().max(), 1e-6),
    ("Q3 largest |e| / s, not clipped", 0.5, largest, 0.01),
    ("Q4 largest |Q(Q(x)) - Q(x)|", 0, (narrow_q(x_hat_q) - x_hat_q).abs().max(), 0),
    ("Q4 steps down", 0, (narrow_q(x_q.detach().sort().values).diff() < 0).sum(), 0),
    ("Q4 Q(0)", 0, narrow_q(torch.zeros(1)).item(), 0),
    ("Q5 gradients that are not the mask", 0, (x_q.grad != inside.float()).sum(), 0),
])

# %% [markdown] slideshow={"slide_type": "skip"}
# Q6 用自动求导检验：每个数一个 $s$，rint 的导数当作 1。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
v = samples.distribution("normal", 1000).double()
steps = torch.full_like(v, 0.3).requires_grad_()
u = v / steps
code = (u + (u.round() - u).detach()).clamp(-8, 7)  # its derivative is that of the clamp
(steps * code).sum().backward()
rounded = (v / 0.3).round()
lsq = torch.where((rounded >= -8) & (rounded <= 7), rounded - v / 0.3, rounded.clamp(-8, 7))
verify([("Q6 largest difference from autograd", 0, (steps.grad - lsq).abs().max(), 1e-9)])

# %% [markdown] slideshow={"slide_type": "skip"}
# V1 换成细的台阶，步长 $0.1\,\sigma$，没有截断。把 $e/s$ 的直方图分成 10 个区间，每个区间的密度都该是 1。V2 用正弦，误差与信号有关，误差的频谱本来全是谐波；加上减性抖动，再把频谱分成 4 段，每一段的平均都该是 $s^2/12$。V3 取三种分布。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
v = samples.distribution("normal", 2**20)
density = torch.histc((v - fine(v)).double() / 0.1, 10, -0.5, 0.5) / len(v) * 10
wave = torch.sin(2 * pi * 331 / 2**20 * torch.arange(2**20, dtype=torch.float64))
d = 0.1 * (torch.rand(2**20, generator=torch.Generator().manual_seed(0)).double() - 0.5)
spectra = [torch.fft.rfft(wave - (fine(wave + u) - u)).abs().square()[1:] for u in (0 * d, d)]
plain_4, quarters = (f.view(4, -1).mean(1) / 2**20 / noise_power(0.1) for f in spectra)
rows = [("V1 least density of e / s", 1, density.min(), 0.02),
        ("V1 greatest density of e / s", 1, density.max(), 0.02),
        ("V2 least quarter of the spectrum", 1, quarters.min(), 0.02),
        ("V2 greatest quarter of the spectrum", 1, quarters.max(), 0.02)]
for shape in ("normal", "laplace", "uniform"):
    t = samples.distribution(shape)
    predicted = 10 * log10(12 * 7**2) - 20 * log10(t.abs().max() / t.square().mean().sqrt())
    rows.append((f"V3 {shape}, 4 bits, dB", predicted, sqnr_db(t, fit(t, 4)(t)), 0.4))

# %% tags=["fold"] slideshow={"slide_type": "skip"}
verify(rows)
print("without dither, the quarters are", *(f"{quarter:.2f}" for quarter in plain_4))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 整数运算：I1 到 I5
#
# 两个随机矩阵都用非对称量化，零点都不是 0，所以四项一项也省不掉。I2 取一千个 $M$，找最大的相对误差。I3 与 float64 算出的、只舍入一次的结果比较：不同的编码只差 1，所占的比例见 I5。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 四项里丢一项，哪一行会先失败？

# %% tags=["fold"] slideshow={"slide_type": "skip"}
generator = torch.Generator().manual_seed(0)
a, b = torch.rand(256, 64, generator=generator), torch.randn(64, 64, generator=generator)
qa, qb, qc = fit(a, 8, False), fit(b, 8, False), fit(a @ b, 8, False)
pa, pb, pc, A, B = qa.params, qb.params, qc.params, qa.quantize(a).long(), qb.quantize(b).long()
za, zb, zc = (p.zero_point.item() for p in (pa, pb, pc))
acc = A @ B - zb * A.sum(1, keepdim=True) - za * B.sum(0) + 64 * za * zb
M = (pa.scale.double() * pb.scale / pc.scale).item()
m, shift = fixed_point_multiplier(M)
codes_out = integer_matmul(A, B, pa, pb, pc)
exact = ((acc.double() * M).abs() + 0.5).floor() * acc.sign()  # halves away from 0
wanted = (zc + exact).clamp(pc.qmin, pc.qmax)

# %% tags=["fold"]
many = torch.rand(1000, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
error = max(abs(m.item() * 2.0 ** (-31 - n.item()) / M - 1)
            for M in many.tolist() for m, n in [fixed_point_multiplier(M)])
differ = (codes_out - wanted).abs().double()
verify([
    ("I1 largest difference", 0, (acc - (A - za) @ (B - zb)).abs().max(), 0),
    ("I2 largest relative error of M", 0, error, 2**-31),
    ("I3 largest difference of codes", 1, differ.max(), 0),
    ("I3 share of codes that differ", 2 ** -(shift.item() + 1), differ.mean(), 4e-4),
])

# %% [markdown] slideshow={"slide_type": "skip"}
# I4：$255^2$ 加 33025 次还在 int32 里；再加一次就绕回，比真正的和少 $2^{32}$。I5 取 $M$ 使 $n = 3$，用六万个随机的和。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
most = (2**31 - 1) // 255**2
last = [torch.tensor(k * 255**2).to(torch.int32).item() for k in (most, most + 1)]
again = torch.Generator().manual_seed(2)
sums_2 = torch.randint(-(10**6), 10**6, (60_000,), generator=again)
m_2, shift_2 = fixed_point_multiplier(0.0707)
ideal = ((sums_2.double() * 0.0707).abs() + 0.5).floor() * sums_2.sign()
off = (requantize(sums_2, m_2, shift_2) != ideal).double().mean()
verify([
    ("I4 terms of 255 * 255 in int32", 33025, most, 0),
    ("I4 their sum", most * 255**2, last[0], 0),
    ("I4 one more: the true sum less int32's", 2**32, (most + 1) * 255**2 - last[1], 0),
    ("I5 share off by one, n = 3", 2 ** -(shift_2.item() + 1), off, 0.005),
])

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 网络：T1 到 T4
#
# T1 用一个参数随机的批归一化层。T2 取训练好的数字识别网络，把三层权重逐通道量化到 6 位，测网络输出的噪声功率。T3 让一个矩阵各行的大小相差很大。T4 数出最后一层要存的全部内容占多少字节。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
dice = torch.Generator().manual_seed(0)
norm = torch.nn.BatchNorm2d(3).eval()
for t in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
    t.data = torch.rand(3, generator=dice) + 0.5
kernel = torch.randn(3, 2, 3, 3, generator=dice)
image = torch.rand(1, 2, 8, 8, generator=dice)
ratio = norm.weight / (norm.running_var + norm.eps).sqrt()
folding = norm(torch.conv2d(image, kernel))
folding -= torch.conv2d(image, kernel * ratio[:, None, None, None],
                      norm.bias - norm.running_mean * ratio)

# %% tags=["fold"] slideshow={"slide_type": "skip"}
network, images = samples.digits_network(), samples.digits()[2]
weights = {i: network[i].weight for i in (0, 2, 5)}
y_net, coarse_w = network(images), {i: fit(w, 6, axis=0)(w) for i, w in weights.items()}


def output_noise(layers):
    changed = {f"{i}.weight": coarse_w[i] for i in layers}
    return (torch.func.functional_call(network, changed, images) - y_net).square().mean().item()


rows_of = samples.distribution("normal", 8 * 5000).view(8, 5000)
spread = rows_of * 2.0 ** torch.arange(-4, 4).clamp(max=0)[:, None]
one, each = fit(spread, 8)(spread), fit(spread, 8, axis=0)(spread)
gain_3 = sqnr_db(spread[2], each[2]) - sqnr_db(spread[2], one[2])
predicted_gain = 20 * log10(spread.abs().max() / spread[2].abs().max())


# %% tags=["fold"]
codes, layer = fit(weights[5], 4, axis=0), weights[5]
stored = {
    "w": pack_int4(codes.quantize(layer)), "s": codes.params.scale, "bias": network[5].bias,
    "input_s": torch.tensor(0.1), "input_z": torch.tensor(0, dtype=torch.int8),
}
formula = ceil(layer.numel() * 4 / 8) + 8 * len(layer) + 5
verify([
    ("T1 difference after folding", 0, folding.abs().max(), 1e-5),
    ("T2 noise of all layers / sum of each", 1, output_noise(weights) / sum(
        output_noise([i]) for i in weights), 0.1),
    ("T3 gain of row 2, dB", predicted_gain, gain_3, 0.5),
    ("T4 bytes of the last layer, 4 bits", formula, sum(t.nbytes for t in stored.values()), 0),
])

# %% [markdown] slideshow={"slide_type": "skip"}
# 表到这里就验完了。每一行都在容差之内，否则运行会停在报错的那个单元格。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 常见写法的三个公式
#
# 许多教程在结尾列出三个公式，我们把它们叫作常见写法：
#
# | 概念 | 公式 |
# |:--|:--|
# | 均匀量化 | $Q(x) = \operatorname{rint}(x/s + z)$ |
# | 反量化 | $\hat x = s\,(q - z)$ |
# | 对称量化 | $z = 0,\; s = x_{\max}/2^{b-1}$ |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 三行公式，一共几处要改？分组找，找全的组讲。

# %% [markdown]
# **【思考】** 三行里有几处要改？逐行找：什么样的 $x$ 会让它出错？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 第一行两处：没有截断，零点加在舍入里面。第三行两处：$x_{\max}$ 应是绝对值的最大值；$2^{b-1}$ 是一种约定，用它就一定要截断。第二行的公式是对的，但 $q$ 和 $z$ 在无符号的 8 位整数里直接相减，结果会绕回去。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# 我们照字面把公式写成代码，看看后果。没有截断，编码存进 $b$ 位时只留下低 $b$ 位，也就是绕回。左列照常见写法，右列是 `quantcore`。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def compare(name, wrong, right, heads=None):
    if heads:
        print(f"{'':46}{heads[0]:>11}{heads[1]:>11}")
    print(f"{name:46}{float(wrong):11.3f}{float(right):11.3f}")


def wrap(code, bits):
    return (code + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


# %% tags=["predict"] slideshow={"slide_type": "fragment"}
half, pair = torch.tensor(0.5), torch.tensor([-3.0, 1.0])
code, zero = torch.tensor([3], dtype=torch.uint8), torch.tensor([5], dtype=torch.uint8)
literal, odd = wrap((pair / (1 / 8)).round(), 4) / 8, with_step(1.0, 1, 0, 255)
back, heads = with_step(1.0, 5, 0, 255).dequantize(code), ("tutorial", "quantcore")
clamped = with_step(0.01, 0, -128, 127)(3 * half)
compare("no clamp: 1.5 at s = 0.01", 0.01 * wrap(round(1.5 / 0.01), 8), clamped, heads)
compare("z inside: the code of 0.5 at s = 1, z = 1", (half + 1).round(), odd.quantize(half))
compare("q - z in uint8: q = 3, z = 5, s = 1", code - zero, back)
compare("x_max, not max|x|: -3 in [-3, 1], int4", literal[0], fit(pair, 4)(pair)[0])
compare("max|x| / 2^(b-1): 1 in [-1, 1], int4", literal[1], fit([-1.0, 1.0], 4)(pair)[1])

# %% [markdown] slideshow={"slide_type": "notes"}
# 第一行里 1.5 因溢出绕回，变成了负数。后三行也绕回：$-2$ 变成 254，$-3$ 变成 $-1$，1 变成 $-1$。加上截断以后，倒数第二行还是 $-1$，因为范围选小了；最后一行不算错，只是代价要说明白：步长细了 1/8，最大的正值却被截断成 0.875。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 改正以后：
#
# | 概念 | 公式 | 改了什么，为什么 |
# |:--|:--|:--|
# | 均匀量化 | $q = \operatorname{clamp}(\operatorname{rint}(x/s) + z,\, q_{\min},\, q_{\max})$ | 截断是定义的一部分，没有截断，编码就存不进 $b$ 位。零点在舍入之后加：舍入遇到半整数时取偶数，先加一个奇数零点，奇偶就对调了；ONNX 的规定也是先舍入 |
# | 反量化 | $\hat x = s\,(q - z)$，$q$、$z$ 是整数，先转成浮点或 int32 再相减 | 公式不变。补上类型：编码是真正的整数，不是存着整数的浮点数；8 位里直接相减可能溢出 |
# | 对称量化 | $z = 0$，$s = \dfrac{\max\lvert x\rvert}{2^{b-1}-1}$；或 $s = \dfrac{\max\lvert x\rvert}{2^{b-1}}$（`full_range=True`，最大的正值被截断） | $x_{\max}$ 改成 $\max\lvert x\rvert$，否则负的一边较宽时会被截断。两种除数都有人用，必须说明是哪一种 |

# %% [markdown] slideshow={"slide_type": "notes"}
# 两种除数各由谁用、什么时候有差别，见[量化参数](03_params.ipynb)。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 十二个易错题
#
# 试卷的后十二题按顺序考的就是下面这十二题，试卷里换了数字。现在换一种答法：每题用一句话说出理由，能举反例的举一个反例。后面两个单元格给每一题两个数：照错误的想法算出的，和实际的。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 换数再问一遍：学生互相出题，一人问一人答。

# %% [markdown] slideshow={"slide_type": "notes"}
# | 题 | 问 | 章 |
# |:--|:--|:--|
# | 1 | 数据都在 $[2, 3]$ 里，那么 $x_{\min} = 2$，对吗？ | [量化参数](03_params.ipynb) |
# | 2 | 对称 int4，$\max\lvert x\rvert = 1$。除以 8、15 还是 7，最大值才原样回来？无符号呢？ | [量化参数](03_params.ipynb) |
# | 3 | 反量化是 $s\,(q + z)$ 还是 $s\,(q - z)$？零点可以是小数吗？ | [均匀量化器](04_quantizer.ipynb) |
# | 4 | 直接舍去小数部分（截尾），与舍入到最近的整数相比，噪声大多少？ | [均匀量化器](04_quantizer.ipynb) |
# | 5 | 零点在舍入之前加，还是之后加，有区别吗？ | [均匀量化器](04_quantizer.ipynb) |
# | 6 | 误差的幅度是信号的 1/100，SQNR 是 20 dB 还是 40 dB？ | [信息论基础](01_information_theory.ipynb) |
# | 7 | 误差总是与信号无关吗？$\Delta^2/12$ 总成立吗？ | [信息论基础](01_information_theory.ipynb) |
# | 8 | 一千个 int4 编码放在 float32 张量里，占多少字节？打包以后呢？ | [量化方案](02_schemes.ipynb) |
# | 9 | 卷积权重的第 0 维总是输出通道吗？ | [量化参数](03_params.ipynb) |
# | 10 | 取最小值和最大值作范围，最稳妥吗？ | [量化参数](03_params.ipynb) |
# | 11 | 直通估计器让所有的梯度都通过吗？ | [均匀量化器](04_quantizer.ipynb) |
# | 12 | 两个量化矩阵相乘，只乘编码，再乘 $s_1 s_2$，对吗？ | [只用整数](04b_integer.ipynb) |

# %% [markdown]
# **【思考】** 十二题都写下答案了吗？写完再运行。

# %% tags=["predict"] slideshow={"slide_type": "subslide"}
x, v = torch.tensor([2.5, 1.0, 0.7]), 10 * samples.distribution("uniform")
whole, wide = fit([-1.0, 2.0], 8, False), fit([2.0, 3.0], 8, False)
s, z, q = whole.params.scale, whole.params.zero_point, whole.quantize(x)
truncated, rounded = (v - v.trunc()).square().mean(), (v - v.round()).square().mean()
eight, seven = with_step(1 / 8, 0, -8, 7), with_step(1 / 7, 0, -8, 7)
narrow, heads = with_step(1 / 255, 0, 0, 255), ("believed", "right")
compare(" 1  2.5, from data in [2, 3], comes back as", narrow(x)[0], wide(x)[0], heads)
compare(" 2  1.0, int4, comes back as", eight(x)[1], seven(x)[1])
compare(" 3  0.7 comes back as", s * (q + z)[2], s * (q - z)[2])
compare(" 4  noise power / step²", rounded, truncated)
compare(" 5  the code of 0.5 at s = 1, z = 1", (half + 1).round(), half.round() + 1)
compare(" 6  SQNR of an error of 1/100, dB", 10 * log10(100), sqnr_db(v, 0.99 * v))

# %% tags=["predict"]
x, spiky = samples.distribution("normal"), samples.distribution("outliers")
leaf, packed = x.clone().requires_grad_(), torch.zeros(1000, dtype=torch.int8)
fit([-1.0, 1.0], 4)(leaf).sum().backward()
related = abs(correlation(x, x - fit(x, 2)(x)))
wide, cut = fit(spiky, 4), fit(spiky, 4, method="mse")
weight = torch.nn.ConvTranspose2d(3, 8, kernel_size=2).weight
product, heads = pa.scale * pb.scale * (A @ B), ("believed", "right")
compare(" 7  |correlation| of x and e, 2 bits", 0, related, heads)
compare(" 8  bytes of 1000 int4 codes, in float32", pack_int4(packed).nbytes, packed.float().nbytes)
compare(" 9  output channels of this ConvTranspose2d", weight.shape[0], weight.shape[1])
compare("10  SQNR with outliers, 4 bits, dB", *(sqnr_db(spiky, q(spiky)) for q in (wide, cut)))
compare("11  fraction of gradients that pass", 1, leaf.grad.mean())
compare("12  one entry of a product", product[0, 0], (qa(a) @ qb(b))[0, 0])

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 1. 不对。范围总要含 0，所以 $x_{\min} = 0$。否则零点落在编码之外，零点截断后所有的值都变成 1.0，而且不报错。
# 2. 除以 $2^{b-1} - 1 = 7$。无符号没有负的一半，除以 $2^b - 1$。
# 3. 减。$z$ 是 0 的编码，代入 $q = z$ 应当得 0。零点必须是整数，0 才能准确地表示，整数运算也才做得成。
# 4. 误差从最大 $s/2$ 变成最大 $s$，噪声功率是四倍，损失 6 dB，等于少了一位。
# 5. 有。恰好是半整数的值会变：舍入取偶数，加上奇数零点就换了奇偶。半精度里零点大时，$x/s + z$ 本身也会丢掉小数。
# 6. 40 dB。幅度比用 $20\log_{10}$，功率比用 $10\log_{10}$。1.76 dB 只属于满幅正弦。
# 7. 都不总是。位数少、信号恰好落在网格上、采样率是信号频率的整数倍时，误差就跟着信号走。减性抖动可以消除这种相关性。
# 8. 4000 字节。换成 int8 是 1000，两个打包成一个字节才是 500。
# 9. 不是。转置卷积（`ConvTranspose2d`）的权重形状是 `(输入, 输出, 高, 宽)`，输出通道在第 1 维。
# 10. 不。离群值把步长撑大，其余的值一起受害。截断几个，总误差反而小。
# 11. 不。编码越界的那些梯度是 0；否则，输出早已饱和的那些值还会在梯度的推动下越走越远。
# 12. 不对。还有三项带零点。零点都是 0 时，这三项才消失。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 往哪里走
#
# 下面几种方法都用在大语言模型上。每一种都可以用这门课的话说清楚。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 每种方法只问一句：它改了公式里的哪一个量？

# %% [markdown] slideshow={"slide_type": "notes"}
# | 方法 | 它做什么 | 出处 |
# |:--|:--|:--|
# | GPTQ | 权重一列一列地舍入，每舍一列，就调整还没有舍入的列，把这一列的误差补回来。补多少，由校准数据的二阶信息（各个输入两两相乘的平均值）决定，所以最小化的是层输出的误差，不是权重的误差。 | [Frantar 等，2023](references.ipynb) |
# | AWQ | 激活大的通道，权重也更要紧。先把这些通道的权重放大再量化，激活相应地缩小，乘积不变，误差却小了。 | [Lin 等，2024](references.ipynb) |
# | SmoothQuant | 激活有离群的通道，难量化；权重平缓，容易。逐通道地把激活除以一个数、权重乘上同一个数，难度就从激活移到了权重，两边都能用 8 位。 | [Xiao 等，2023](references.ipynb) |
# | LLM.int8() | 离群值集中在少数几个特征维度上，把这些维度拆出来用 16 位乘。其余的用 int8 乘，激活每行一个缩放因子，权重每列一个。 | [Dettmers 等，2022](references.ipynb) |
# | 基于旋转的方法：QuaRot | 用一个正交矩阵（随机的 Hadamard 矩阵，元素的绝对值都相同）旋转层与层之间的激活，离群值就摊到所有的维度上。大部分旋转可以并进权重，其余的在运行时计算，网络的输出不变。 | [Ashkboos 等，2024](references.ipynb) |
# | 基于旋转的方法：SpinQuant | 不同的随机旋转，效果相差很大。所以用少量数据把旋转矩阵学出来，学的时候保持它正交。 | [Liu 等，2025](references.ipynb) |
# | MX 格式 | 每 32 个数共用一个 8 位的缩放因子，它只能是 2 的幂；每个数是 FP8、FP6、FP4 或 INT8。这是逐组量化，规定成了硬件可以直接支持的标准。 | [Open Compute Project，2023](references.ipynb) |

# %% [markdown] slideshow={"slide_type": "notes"}
# 想从头读理论，有两篇综述：（[Gray & Neuhoff，1998](references.ipynb)）讲量化的理论和历史，（[Nagel 等，2021](references.ipynb)）讲神经网络量化的做法。

# %% [markdown]
# **【思考】** GPTQ、AWQ、SmoothQuant、QuaRot 各在改公式总表里的哪一个量？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# GPTQ 改的是 Q1 的舍入：不再各自舍入到最近的整数。SmoothQuant 改的是 P 组的范围：激活的最大值变小了，激活的 $s$ 也就小了。AWQ 改的是 Q1 的 $x$：要紧的权重放大了，$s$ 却几乎不变，同样的舍入误差相对就小了。QuaRot 改的是 V3 的峰值与均方根之比。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 旋转为什么有用
#
# 64 个标准正态的数，把第一个换成 50。对称 int4 的步长由 50 决定，其余 63 个全部变成 0。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 给足时间。先让学生猜旋转以后的 SQNR，写在黑板上再运行。

# %% [markdown]
# **【预测】** 先乘一个元素都是 $\pm1/\sqrt{64}$ 的正交矩阵，量化，再乘回来。正交变换不改变误差的总功率，也不改变信号的总功率。SQNR 会变好吗？能用公式算出变成多少吗？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 会。总功率不变，最大值却变小了：50 被分摊到 64 个分量上，每个只得到 $50/\sqrt{64}$，再加上其余 63 个数带来的一点。
#
# 旋转以前，$s^2/12$ 不成立：63 个数都变成 0，噪声就是这 63 个数自己的功率。旋转以后，误差接近均匀，V3 可以用。
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
H = torch.ones(1, 1, dtype=torch.float64)
for _ in range(6):
    H = torch.kron(torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64), H) / 2**0.5
x = samples.distribution("normal", 64).double()
x[0] = 50
y, signal = H @ x, x.square().sum()
lost = 10 * torch.log10(signal / x[1:].square().sum())
flat = 10 * log10(12 * 7**2) - 20 * torch.log10(y.abs().max() / (signal / 64).sqrt())
cases = [("as it is", x, fit(x, 4)(x), lost), ("rotated", y, H.T @ fit(y, 4)(y), flat)]
for name, v, x_hat, predicted in cases:
    print(f"{name:9} max {v.abs().max():5.2f}   SQNR predicted {predicted:5.2f} dB", end="   ")
    others = sqnr_db(x[1:], x_hat[1:])
    print(f"measured {sqnr_db(x, x_hat):5.2f} dB   the other 63 alone {others:4.2f} dB")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 最后一张图
#
# 这张图把全课的主线放在一起：步长、误差和 SQNR。
#
# **【操作】** 拖动位宽，取消对称再勾上，对着图说一遍：步长是多少，8 位时误差为什么是平的，SQNR 为什么比 $6.02\,b$ 少，取消对称以后什么变了、什么没变。说得出来，这门课就学完了。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 最后请一位同学对着图，把整门课讲一遍，3 分钟。

# %% slideshow={"slide_type": "subslide"}
explore.quantization(samples.distribution("normal"))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 小结

# %% [markdown]
# - 量化是有损压缩。没有截断、误差均匀时，丢掉的功率是 $\Delta^2/12$。
# - 多一位，步长约减半，SQNR 约多 6.02 dB。位宽一定时，SQNR 由信号与范围的比决定。
# - 范围宽，步长粗；范围窄，截断多。`mse`、`aciq` 在两者之间取舍；`minmax`、`percentile` 不取舍，`entropy` 看的是分布的形状。
# - 缩放因子定步长，零点保住 0。先舍入，再加零点，最后截断。
# - 粒度越细，缩放因子越多。计算位数的时候要把它们算进去。
# - 整数乘法不需要浮点：四项、一个定点乘数、一次移位。
# - 每个公式都有条件。用之前先问条件，用之后测一测。

# %% [markdown] slideshow={"slide_type": "skip"}
# 回到[开始](00_start.ipynb)，或者翻到任何一章。
