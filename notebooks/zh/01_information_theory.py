# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 信息论基础：量化丢掉了什么，要付多少代价
#
# 原文档用两行字讲完这一章：量化噪声功率是 $\Delta^2/12$；每增加 1 位，信噪比提高约 6 dB。两句话都有用，也都有条件，而条件它没有写。这一章把两句话推导出来，测一遍，再找出它们失效的地方。
#
# **学完这一章，你能：**
#
# - 算出一层权重存成 8 位、4 位各占多少字节，说清楚字节少了为什么可能更快，又为什么不一定；
# - 推导 $\Delta^2/12$，写出它成立的条件，并举出三种不成立的情形；
# - 推导「每位 6.02 dB」，对均匀分布、正弦、高斯三种信号写出各自的常数；
# - 在截断和分辨率之间选一个最好的范围；
# - 看懂一张率失真图，说出均匀量化离极限还有多远，剩下的差距从哪里来。
#
# | 部分 | 时间 |
# |:--|:--|
# | 1 为什么要量化 | 15 分钟 |
# | 2 量化噪声功率 | 20 分钟 |
# | 3 量化信噪比 | 15 分钟 |
# | 4 截断与分辨率 | 10 分钟 |
# | 5 最优量化器 | 15 分钟 |
# | 6 熵与率失真 | 15 分钟 |
#
# 文献写在用到它的地方。通读可看综述 (Gray & Neuhoff 1998)，量化噪声的细节看专著 (Widrow & Kollár, *Quantization Noise*)。

# %%
import heapq
import math

import torch
from torch.utils.benchmark import Timer

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import entropy, gaussian_distortion, lloyd_max, noise_power, optimal_uniform
from quantcore import explore, pack_int4, samples, sqnr_db, unpack_int4  # noqa: F401
from quantcore.calibration import clipping_noise
from quantcore.schemes import round_to_levels
from quantcore.sheet import BLUE, GRAY, GREEN, INK, RED, Sheet

device = "cuda" if torch.cuda.is_available() else "cpu"

# %%
explore.set_language("zh")

# %% [markdown]
# ## 1 为什么要量化
#
# ### 字节
#
# 大语言模型里，一个 $4096 \times 4096$ 的线性层很常见。拿它当例子。
#
# **先猜。** 这一层的权重用 float32、int8、int4 存，各要多少 MiB？（1 MiB 是 $2^{20}$ 字节。）
#
# <details><summary>想好了再看</summary>
#
# 权重有 $2^{12} \cdot 2^{12} = 2^{24}$ 个。每个占 4 字节、1 字节、半个字节，所以是 64、16、8 MiB。
#
# 量化后还要存缩放因子。整层共用一个，就只多 4 个字节，可以忽略。
#
# </details>
#
# 一般地，$n$ 个 $b$ 位的数占 $n\,b/8$ 字节。
#
# 下一格按公式算一遍，再量一量张量真正占的内存。torch 没有 4 位的整数类型，int4 的编码要用 `pack_int4` 两个两个地装进一个字节，不装就省不到一半。

# %%
w = torch.randn(4096, 4096, generator=torch.Generator().manual_seed(0)).to(device)
p8, p4 = (QuantizationParams.from_tensor(w, QuantizationScheme.from_bits(b)) for b in (8, 4))
q8 = UniformQuantizer(p8).quantize(w)
stored = {"float32": w, "int8": q8, "int4": pack_int4(UniformQuantizer(p4).quantize(w))}

print("storage   bytes predicted   bytes measured   operations per byte")
for (name, t), b in zip(stored.items(), (32, 8, 4)):
    print(f"{name:7} {w.numel() * b // 8:17,} {t.nbytes:16,} {2 * w.numel() / t.nbytes:21.1f}")

# %% [markdown]
# 原文档的 `quantize` 少了最后一步：它舍入、截断，然后直接返回，没有换成整数类型。**先猜**：它的「INT8」占多少字节？

# %%
scale = w.abs().max() / 127
document = torch.clamp(torch.round(w / scale), -128, 127)
for name, t in (("document", document), ("quantcore", q8)):
    print(f"{name:9} {str(t.dtype):13} {t.nbytes:12,} bytes")
del document  # 64 MiB

# %% [markdown]
# 数值都是整数，类型还是 float32，一个字节也没省。`quantcore` 的编码是真正的 `int8`。
#
# ### 内存流量和时间
#
# 字节表的最后一列是什么？这一层乘一个向量，每个权重用一次：一次乘，一次加，共 2 次运算。float32 的权重每读 4 字节才做 2 次运算，也就是每字节 0.5 次。处理器的算力远比这个比例高，时间花在等内存上。
#
# 所以对这样的层，**读写的字节数近似决定时间**。语言模型每生成一个词，这样的权重都要从内存里读一遍，正是这种情形。
#
# **先猜。** 把三份权重各复制一遍，时间之比大约是多少？

# %% tags=["nbval-ignore-output"]
# Times and bandwidth belong to the machine, so this output is not compared.
def milliseconds(stmt, **names):
    timer = Timer(stmt, globals=globals() | names, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=0.2).median * 1e3


print("storage     MiB   copy, ms   GB/s read and written")
for name, t in stored.items():
    ms = milliseconds("buffer.copy_(t)", buffer=torch.empty_like(t), t=t)
    print(f"{name:7} {t.nbytes / 2**20:7.0f} {ms:10.2f} {2 * t.nbytes / ms / 1e6:23.1f}")

# %% [markdown]
# 如果带宽不变，时间之比就是字节之比，$8 : 2 : 1$。你看到的比例可能不同：小的那一份放得进处理器的缓存，不必去读内存，就更快；电脑正忙着别的事，就什么都不准。
#
# 复制不是计算。真要用这些编码去乘，会怎样？
#
# **先猜。** 权重乘 32 个向量，下面四种做法，哪一种最慢？
#
# 1. float32 的权重直接乘；
# 2. 从 int8 反量化成 float32，再乘；
# 3. 从装好的 int4 拆开、反量化，再乘；
# 4. int8 直接乘 int8，在 int32 里累加。

# %% tags=["nbval-ignore-output"]
# Times belong to the machine, so this output is not compared.
v = torch.randn(4096, 32, device=device)
v8 = torch.ones(32, 4096, dtype=torch.int8, device=device)
for what, stmt in {
    "1 float32 weights": "w @ v",
    "2 int8 -> float32": "q8.float().mul_(0.04) @ v",
    "3 int4 -> float32": "unpack_int4(stored['int4'], w.shape).float().mul_(0.04) @ v",
    "4 int8 arithmetic": "torch._int_mm(v8, q8.T)",
}.items():
    print(f"{what}   {milliseconds(stmt):8.2f} ms")

# %% [markdown]
# 第 2、3 种通常比第 1 种**更慢**，第 3 种最慢。字节是少了，但先要写出一份 float32 的权重，乘法照旧是浮点乘法。研究量化时常用的**伪量化**（fake quantization）就是这样：它告诉你精度会怎样，不告诉你速度会怎样。
#
# 第 4 种用的是 torch 内部的整数矩阵乘法 `torch._int_mm`。它快不快，要看这台机器有没有 8 位整数的乘加指令。实用的程序把「拆开」和「乘」合成一个算子，编码读进寄存器才展开，float32 的权重从不写回内存。
#
# 结论分两层：字节少了，这是确定的；变快多少，要在目标机器上测。

# %% [markdown]
# ### 看一看，听一听
#
# 字节省了，丢掉的是什么？用有限个离散值代表连续的数，回不到原来的样子，这叫**有损压缩**。先用眼睛和耳朵感受。
#
# **先猜。** 下图从 3 位开始，每个颜色只有 8 级。
#
# 1. 往上调，到几位你就看不出区别了？最后好起来的是天空，还是屋檐？
# 2. 「**抖动**（dither）」在量化前加一点随机噪声，量化后再减掉。均方误差会变大、变小，还是差不多？看上去呢？

# %%
explore.photo(samples.photograph(), bits=3)

# %% [markdown]
# <details><summary>看过了再打开</summary>
#
# 1. 几位因人而异，最后好起来的是天空。天空的亮度变化很慢，一级台阶盖住一大片，成了**色带**。屋檐的细节多，误差藏得住。
# 2. 除了 1 位，图下的 PSNR 几乎不变，可是色带没有了，变成均匀的颗粒。看右边的误差图：不加抖动，误差里还认得出照片的轮廓；加了抖动，只剩沙子。
#
# 误差的**大小**没有变，变的是误差**和信号的关系**。第 2 节会算清楚。
#
# （PSNR 和后面要讲的 SQNR 都是信号功率比噪声功率，只是信号那一项取最大可能值的平方。）
#
# </details>
#
# 声音也一样。下面是一个渐渐弱下去的大三和弦。先不加抖动，听 8 位，再听 3 位和 2 位，注意尾声。
#
# **先猜。** 尾声比一个步长还弱的时候，你会听到什么？

# %%
explore.chord(bits=3)

# %% [markdown]
# 位宽低时，尾声不是变轻，而是变成响度不减的嗡嗡声。这里的级从 $-1$ 等距排到 $1$，一共偶数个，0 不在其中，再弱的声音也要跳到 $\pm\Delta/2$ 上去，成了方波。右图里，误差的谱是一根一根的线：和弦里本来没有的频率。
#
# 打开抖动，线不见了，和弦又渐渐弱下去，代价是一层均匀的沙沙声。

# %% [markdown]
# ## 2 量化噪声功率
#
# ### 推导
#
# **步长**（step）$\Delta$ 是相邻两个重建值的距离。舍入到最近的重建值，误差 $e = x - \hat x$ 满足
#
# $$
# -\frac{\Delta}{2} \le e \le \frac{\Delta}{2}
# $$
#
# **假设** $e$ 在这个区间里均匀分布，密度是 $1/\Delta$。那么
#
# $$
# \mathbb{E}[e] = \int_{-\Delta/2}^{\Delta/2} \frac{e}{\Delta}\, \mathrm{d}e = 0
# $$
#
# $$
# \sigma_q^2 = \mathbb{E}[e^2] = \int_{-\Delta/2}^{\Delta/2} \frac{e^2}{\Delta}\, \mathrm{d}e
# = \frac{1}{\Delta} \cdot \frac{2}{3} \left(\frac{\Delta}{2}\right)^3 = \frac{\Delta^2}{12}
# $$
#
# 这就是**量化噪声功率**（noise power）(Bennett 1948)。注意推导里没有出现 $x$ 的分布，它全藏在「假设」两个字里。
#
# 测一下：三种分布，各一百万个数，量化到 INT8。

# %%
def power(e):
    return e.double().square().mean().item()


shapes = ("uniform", "normal", "laplace")
data = {shape: samples.distribution(shape, 10**6).to(device) for shape in shapes}
print("source      step   predicted    measured")
for name, y in data.items():
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(y, QuantizationScheme.INT8))
    step = quantizer.params.scale.item()
    print(f"{name:7} {step:8.4f} {noise_power(step):11.3e} {power(y - quantizer(y)):11.3e}")

# %% [markdown]
# 三种分布差别很大，8 位时公式都准。现在把位宽往下拖。
#
# **先猜。** 中间那幅图是误差除以步长的分布，8 位时是平的。拖到 3 位、2 位，它还平吗？

# %%
explore.quantization(samples.distribution("normal"), bits=8, symmetric=True)

# %% [markdown]
# 勾着「对称」拖到 2 位，平顶变成了中间高、两边低：台阶太宽，大部分数据挤在 0 那一级里，误差就是数据本身。均匀的假设不成立了。
#
# 取消「对称」，步长只小了三分之一多，误差却又几乎是平的。多宽算太宽？下面算出来。
#
# ### 打破它之一：步长太大
#
# 偏差有多大，可以精确地算。设重建值是 $\Delta$ 的整数倍，没有截断。那么 $e^2$ 是 $x$ 的周期函数，周期为 $\Delta$，在 $[-\Delta/2, \Delta/2]$ 上等于 $x^2$。把它展开成傅里叶级数：
#
# $$
# e^2 = \frac{\Delta^2}{12} + \frac{\Delta^2}{\pi^2} \sum_{k=1}^{\infty} \frac{(-1)^k}{k^2} \cos\frac{2\pi k x}{\Delta}
# $$
#
# 两边取期望：
#
# $$
# \sigma_q^2 = \frac{\Delta^2}{12} + \frac{\Delta^2}{\pi^2} \sum_{k=1}^{\infty} \frac{(-1)^k}{k^2}\, \varphi\!\left(\frac{2\pi k}{\Delta}\right),
# \qquad \varphi(u) = \mathbb{E}[\cos(u x)]
# $$
#
# 对称分布的 $\varphi$ 就是概率论里的**特征函数**（characteristic function）。第一项是 $\Delta^2/12$，后面全是修正。步长比分布窄得多时，余弦在分布上来回振荡许多次，正负抵消，$\varphi \approx 0$。这就是 $\Delta^2/12$ 的条件：
#
# - 够用的说法 (Bennett 1948)：密度光滑，步长小，没有截断。
# - 精确的说法 (Widrow & Kollár)：$x$ 的特征函数在 $2\pi k/\Delta$（$k = \pm1, \pm2, \dots$）处全为 0，此时 $e$ 恰好均匀。
#
# 对标准差为 $\sigma$ 的高斯，$\varphi(u) = e^{-\sigma^2 u^2/2}$。
#
# **先猜。** $\Delta = \sigma$ 是很粗的台阶，$\pm 3\sigma$ 里只有 7 级。$\Delta^2/12$ 在这里差 10%、1%，还是远不到 1%？

# %%
def grid(step):
    """All multiples of the step: a grid so wide that nothing clips."""
    params = QuantizationParams(torch.tensor(step), torch.tensor(0), -(2**15), 2**15 - 1)
    return UniformQuantizer(params)


x, k = data["normal"], torch.arange(1, 50, dtype=torch.float64)
print("step/sigma   step^2/12   with the series   measured")
for step in (0.5, 1.0, 2.0, 3.0, 4.0):
    phi = torch.exp(-((2 * torch.pi * k / step) ** 2) / 2)
    series = step**2 / torch.pi**2 * ((-1) ** k / k**2 * phi).sum().item()
    predicted, measured = noise_power(step), power(x - grid(step)(x))
    print(f"{step:10} {predicted:11.4f} {predicted + series:17.4f} {measured:10.4f}")

# %% [markdown]
# $\Delta = \sigma$ 时两者还看不出差别。高斯很光滑，特征函数衰减得极快，所以 $\Delta^2/12$ 比它的名声更可靠。到 $\Delta = 3\sigma$ 才明显偏大，而级数仍然准。

# %% [markdown]
# ### 打破它之二：信号坐在格点上
#
# 步长再小，只要信号的取值不是「散开」的，公式照样失效。
#
# **先猜。** 步长取 $\Delta = 1/8$，下面四种信号的噪声功率是 $\Delta^2/12$ 的几倍？
#
# 1. 高斯；
# 2. 高斯经过 ReLU，负的都变成 0；
# 3. 已经量化过一次的高斯，步长相同；
# 4. 第 3 种再加 $\Delta/2$。
#
# <details><summary>想好了再看</summary>
#
# 1. 1 倍。
# 2. 0.5 倍。一半的值恰好是 0，没有误差；另一半照旧。ReLU 之后的激活值就是这样。
# 3. 0 倍。都在格点上。
# 4. 3 倍。每个误差都是 $\pm\Delta/2$，功率 $\Delta^2/4$。
#
# </details>

# %%
step = 1 / 8
eighths = grid(step)
cases = {"normal": (x, 1), "relu": (x.clamp_min(0), 1 / 2)}
cases |= {"on the grid": (eighths(x), 0), "between": (eighths(x) + step / 2, 3)}
print("source        predicted   measured   (times step^2/12)")
for name, (y, ratio) in cases.items():
    print(f"{name:11} {ratio:11.2f} {power(y - eighths(y)) / noise_power(step):10.2f}")

# %% [markdown]
# ### 打破它之三：误差和信号有关
#
# 工程上常把量化写成 $\hat x = x - e$，把 $e$ 当成一份独立的噪声。
#
# **问一问。** 误差和信号独立吗？
#
# <details><summary>想好了再看</summary>
#
# 不独立。$e = x - \hat x$，而 $\hat x$ 由 $x$ 决定，所以知道了 $x$，$e$ 就完全确定。只有误差是常数（例如恒为 0）时才谈得上独立。
#
# 步长小、密度光滑时，$e$ 和 $x$ 近似**不相关**，很多计算只需要这一点。但不相关不是独立，步长大时连不相关也没有。照片里误差的轮廓、和弦里多出来的频率，都是这种关系的样子。
#
# </details>
#
# ### 解药：抖动
#
# 取一个随机数 $d$，在 $[-\Delta/2, \Delta/2]$ 上均匀分布，和 $x$ 独立。量化前加上，量化后减去：
#
# $$
# \hat x = Q(x + d) - d
# $$
#
# 这时误差是
#
# $$
# e = x - \hat x = (x + d) - Q(x + d)
# $$
#
# 它是 $x + d$ 到最近格点的偏差。固定 $x$，$x + d$ 在一段长为 $\Delta$ 的区间上均匀分布，恰好绕格子一周，所以偏差均匀分布在 $[-\Delta/2, \Delta/2]$ 上。换一个 $x$，结论不变。于是**对任何信号**，$e$ 都均匀，而且和 $x$ 独立，$\sigma_q^2 = \Delta^2/12$ 严格成立 (Widrow & Kollár; Gray & Neuhoff 1998)。
#
# 假设变成了定理。这种做法叫**减性抖动**（subtractive dither），前提是收发两边知道同一串 $d$，并且不截断。
#
# 下表里，每种情形有一对数：`power` 是噪声功率除以 $\Delta^2/12$；`corr` 是误差和信号的相关，即协方差除以信号的标准差和 $\Delta/\sqrt{12}$。公式的预言是 1 和 0。

# %%
cases = {"normal, 3 sigma": (x, 3.0), "relu": (x.clamp_min(0), 1 / 8)}
cases |= {"between": (eighths(x) + 1 / 16, 1 / 8)}
cases |= {"chord, 2 bits": (samples.chord().to(device), 2 / 3)}
cases |= {"photo, 1 bit": (samples.photograph().flatten().to(device), 1.0)}
print("                   predicted   without dither    with dither")
print("source            power  corr     power   corr     power   corr")
for name, (y, step) in cases.items():
    d = step * (torch.rand(y.shape, generator=torch.Generator().manual_seed(1)) - 0.5).to(device)
    errors = y - grid(step)(y), y - (grid(step)(y + d) - d)
    unit = y.std() * step / 12**0.5
    related = [(((y - y.mean()) * e).mean() / unit).item() for e in errors]
    both = [f"{power(e) / noise_power(step):.2f} {r:z6.2f}" for e, r in zip(errors, related)]
    print(f"{name:15} {1:7.2f} {0:5.2f} {both[0]:>17} {both[1]:>16}")

# %% [markdown]
# 不加抖动的两列各错各的。加了抖动，在抽样误差之内都是 1 和 0。
#
# 抖动并不是为了减小噪声，多数情形里噪声反而大了。它换来的是：噪声的大小可以预言，而且和信号无关。
#
# **问一问。** 下一格列出照片与和弦在每个位宽下的情形，数字是没有抖动时 $\sigma_q^2$ 与 $\Delta^2/12$ 的比。照片到 8 位，比值反而离 1 更远了，为什么？（提示：照片的像素原来是什么数？）

# %%
photo, chord = samples.photograph().to(device), samples.chord().to(device)
print("b   photo   chord   (noise power, times step^2/12)")
for b in range(1, 9):
    steps = 1 / (2**b - 1), 2 / (2**b - 1)
    ratios = [power(y - grid(s)(y)) / noise_power(s) for y, s in zip((photo, chord), steps)]
    print(f"{b} {ratios[0]:7.2f} {ratios[1]:7.2f}")

# %% [markdown]
# <details><summary>想好了再看</summary>
#
# 照片本来就是 8 位的，取值是 $k/255$；载入时每 4 个像素平均成一个，取值变成 $k/1020$。用步长 $1/255$ 去量化，误差只可能是步长的 $0$、$\pm\tfrac14$、$\pm\tfrac12$。如果 4 种余数同样多，均方是
#
# $$
# \frac{1}{4}\left(0 + \frac{1}{16} + \frac{1}{4} + \frac{1}{16}\right)\Delta^2 = \frac{3}{32}\Delta^2 = 1.125 \cdot \frac{\Delta^2}{12}
# $$
#
# 这又是「坐在格点上」，只是格子细了 4 倍。
#
# 和弦相反：位宽高时准，位宽低时偏小。（这里的格子包含 0，和上面能听的那张图不同。）它的尾声比半个步长还小，误差就是信号本身，比 $\Delta^2/12$ 小得多。
#
# </details>

# %% [markdown]
# ## 3 量化信噪比
#
# ### 定义
#
# 噪声是大是小，要跟信号比。**量化信噪比**（SQNR）是两个**功率**之比，用分贝表示：
#
# $$
# \mathrm{SQNR} = 10 \log_{10} \frac{\mathbb{E}[x^2]}{\sigma_q^2} \ \text{dB}
# $$
#
# 功率是幅度的平方，所以用幅度（均方根）之比来算，系数是 20，结果相同。
#
# **先猜。** 设 $\hat x = 0.9\,x$，误差的幅度是信号的十分之一。SQNR 是 10、20、40，还是 $-20$ dB？下一格里有四种写法，一种对，三种是常见的错。

# %%
e = x - 0.9 * x
ratio = power(x) / power(e)
print(f"10 log10 of the power ratio       {10 * math.log10(ratio):6.2f}")
print(f"20 log10 of the power ratio       {20 * math.log10(ratio):6.2f}   wrong: squares twice")
print(f"10 log10 of the amplitude ratio   {10 * math.log10(ratio**0.5):6.2f}   wrong: no square")
print(f"10 log10 of noise over signal     {10 * math.log10(1 / ratio):6.2f}   wrong: upside down")
print(f"sqnr_db                           {sqnr_db(x, 0.9 * x):6.2f}")

# %% [markdown]
# ### 每位 6.02 dB
#
# 用 $2^b$ 个等宽的格子铺满 $[-A, A]$，步长 $\Delta = 2A/2^b$。信号的标准差是 $\sigma$，均值为 0。记 $\Gamma = A/\sigma$，叫**负载因子**（loading factor）：范围是标准差的几倍。代入 $\Delta^2/12$：
#
# $$
# \frac{\sigma^2}{\sigma_q^2} = \frac{12\,\sigma^2}{\Delta^2} = \frac{12\,\sigma^2 \cdot 4^b}{4A^2} = \frac{3 \cdot 4^b}{\Gamma^2}
# $$
#
# 取对数：
#
# $$
# \mathrm{SQNR} = 6.02\,b + 4.77 - 20\log_{10}\Gamma \ \text{dB}
# $$
#
# 6.02 是 $10\log_{10}4$：多一位，步长减半，噪声功率剩四分之一。4.77 是 $10\log_{10}3$。随信号变的只有最后一项。
#
# **先算。** 三种信号的常数项各是多少？
#
# 1. 均匀分布，占满 $[-A, A]$；
# 2. 满幅正弦，振幅为 $A$；
# 3. 高斯，取 $A = 4\sigma$。
#
# <details><summary>想好了再看</summary>
#
# 1. $\sigma^2 = (2A)^2/12 = A^2/3$，$\Gamma = \sqrt3$，常数是 0：$\mathrm{SQNR} = 6.02\,b$。
# 2. $\sigma^2 = A^2/2$，$\Gamma = \sqrt2$，常数是 1.76：$\mathrm{SQNR} = 6.02\,b + 1.76$。
# 3. $\Gamma = 4$，常数是 $-7.27$：$\mathrm{SQNR} = 6.02\,b - 7.27$。
#
# 高斯最低，因为它大部分时间在 0 附近，却要为偶尔才到的 $4\sigma$ 留出范围，许多级很少用到。
#
# </details>
#
# **问一问。** 模数转换器的手册写着「8 位，49.9 dB」。同事拿这个数去估计高斯权重量化到 8 位的 SQNR。他错多少？
#
# <details><summary>想好了再看</summary>
#
# $6.02\,b + 1.76$ 只属于满幅正弦。高斯取 $\Gamma = 4$，公式是 $6.02\,b - 7.27$，差 9 dB，相当于一位半。
#
# </details>
#
# 验一下。`on_levels` 就是上面的量化器：$2^b$ 个等宽的格子铺满 $[-A, A]$，每格的重建值在正中。

# %%
def on_levels(x, bits, reach):
    """2^b cells of equal width fill [-reach, reach]; each level is the middle of its cell."""
    step = 2 * reach / 2**bits
    params = QuantizationParams(torch.tensor(step), torch.tensor(0), 0, 2**bits - 1)
    shift = reach - step / 2  # takes the lowest level to 0
    return UniformQuantizer(params)(x + shift) - shift


n = 10**6
sine = torch.sin(2 * torch.pi * (torch.arange(n, dtype=torch.float64) + 0.5) / n).to(device)
sources = {"uniform": (data["uniform"], 3**0.5), "sine": (sine, 2**0.5), "normal": (x, 4.0)}
sigma = {"uniform": 1.0, "sine": 0.5**0.5, "normal": 1.0}

# %%
widths, found = (1, 2, 3, 4, 6, 8, 10, 12), {}
print("b" + "".join(f"{name:>20}" for name in sources))
for name, (y, load) in sources.items():
    found[name] = [sqnr_db(y, on_levels(y, b, load * sigma[name])) for b in widths]
for i, b in enumerate(widths):
    pairs = [(10 * math.log10(3 * 4**b / g**2), found[s][i]) for s, (_, g) in sources.items()]
    print(f"{b:2}" + "".join(f"{p:12.2f} {m:7.2f}" for p, m in pairs))
print("     each pair: predicted, measured, in dB")

# %%
sheet = Sheet(panels=1, height=3.6)
sheet.frame(0, "three sources", "bit width b", "SQNR, dB", (0.5, 12.5), (-5, 78))
for (name, (_, g)), color in zip(sources.items(), (BLUE, GREEN, RED)):
    line = [10 * math.log10(3 * 4**b / g**2) for b in widths]
    sheet.line(0, f"{name}, predicted", widths, line, color=color, linewidth=1)
    sheet.points(0, f"{name}, measured", widths, found[name], color=color, markersize=9)
sheet.legend(0, loc="upper left")
last = ", ".join(f"{name} {found[name][-1]:.1f} dB" for name in sources)
sheet.show(f"SQNR over bit width, predicted lines and measured points; at 12 bits: {last}")

# %% [markdown]
# 均匀分布处处吻合。另外两种有偏离，而且偏得有道理：
#
# - **正弦**在低位宽时略低。它在峰顶停留得久，密度在那里不光滑，不满足 Bennett 的条件。位宽高了，偏差就消失。
# - **高斯**在 1 位时偏低：步长是 $4\sigma$，第 2 节已经见过，太粗了。
# - **高斯**在 8 位以上弯了下来，加位宽也没有用。公式只算了格子里的误差，没算 $4\sigma$ 以外被截断的那一点。位宽越高，那一点越显眼。
#
# **问一问。** 「级数越多越好」对吗？高斯取 $\pm4\sigma$，从 10 位加到 12 位，公式说多 12 dB，实际多多少？看表回答。
#
# <details><summary>想好了再看</summary>
#
# 远不到 12 dB，看高斯那两列的最后两行。范围不变时，增加级数只减小格子里的误差，减不掉截断的误差。截断成了主角以后，再多的级也是白费。
#
# 反过来，信号恰好坐在粗格点上时，换成更多的级、却对不准原来的格点，误差会从 0 变成不是 0。
#
# </details>

# %% [markdown]
# ## 4 截断与分辨率
#
# ### 两种噪声
#
# 范围取 $[-c, c]$，最外面的两级正好在 $\pm c$，中间等距，步长 $\Delta = 2c/(2^b - 1)$。误差分成两种：
#
# - 里面的叫**颗粒噪声**（granular noise），来自舍入；
# - 外面的叫**过载噪声**（overload noise），来自**截断**（clipping）。
#
# 设 $\sigma = 1$，密度为 $p(x)$。颗粒噪声近似是
#
# $$
# D_g \approx \frac{\Delta^2}{12}\, P(\lvert x \rvert \le c)
# $$
#
# 过载的值都变成 $\pm c$，所以
#
# $$
# D_o = 2\int_c^\infty (x - c)^2\, p(x)\, \mathrm{d}x
# $$
#
# 对高斯，用 $p'(x) = -x\,p(x)$ 做分部积分，得 $\int_c^\infty x\,p = p(c)$，$\int_c^\infty x^2 p = c\,p(c) + P(x > c)$。代入：
#
# $$
# D_o = 2\left[(1 + c^2)\,P(x > c) - c\,p(c)\right]
# $$
#
# 这是 (Banner et al. 2019) 选截断位置时用的式子。
#
# **先猜。** 4 位，$c$ 从 4 减到 2。哪一种噪声变大，哪一种变小？最好的 $c$ 大约在哪里？换成 8 位呢？

# %%
explore.clipping(bits=4, clip=4.0)

# %% [markdown]
# $c$ 太大，步长粗，颗粒噪声主导；$c$ 太小，截得多，过载噪声主导。总噪声的谷底就是最好的 $c$。位宽越高，颗粒噪声越小，谷底越往右。
#
# 验一下两个公式：4 位，把一百万个高斯数按在不在 $[-c, c]$ 里分开测。（`on_levels` 的范围要比 $c$ 多出半格。）过载那一对会差百分之几：落在外面的数很少，抽样误差就大。

# %%
b = 4
print("c/sigma   granular predicted, measured   overload predicted, measured")
for c in (1.5, 2.0, 2.5, 3.0, 4.0):
    e = x - on_levels(x, b, c * 2**b / (2**b - 1))
    inside = x.abs() <= c
    granular, overload = (power(e * part) for part in (inside, ~inside))
    pg, po = (d.item() for d in clipping_noise(torch.tensor(c, dtype=torch.float64), 2**b - 1))
    print(f"{c:7} {pg:19.5f} {granular:10.5f} {po:19.5f} {overload:10.5f}")

# %% [markdown]
# ### 最好的范围随位宽变
#
# `optimal_uniform` 不用近似，直接求均方误差最小的等距重建值，它最外面的一级就是最好的 $c$。和上面两个式子之和的谷底对照。最后一列是每多一位，SQNR 多几 dB。

# %%
places = torch.linspace(0.5, 6, 5501, dtype=torch.float64)
before = optimal_uniform(2, "normal").mse
print("b   best c: predicted, measured   noise: predicted, measured   dB gained")
for b in range(2, 9):
    total, best = sum(clipping_noise(places, 2**b - 1)), optimal_uniform(2**b, "normal")
    c, d, gain = places[total.argmin()].item(), total.min().item(), before / best.mse
    before = best.mse
    print(f"{b} {c:17.2f} {best.levels[-1].item():10.2f}", end="")
    print(f"{d:19.2e} {best.mse:10.2e} {10 * math.log10(gain):11.2f}")

# %% [markdown]
# **问一问。** 范围已经取到最好，为什么每位还是不到 6.02 dB？
#
# <details><summary>想好了再看</summary>
#
# 多一位，格子多一倍，但最好的 $c$ 也变大了，步长没有减到一半。「每位 6 dB」要求范围不变，而且没有截断。对高斯，这两条不能同时满足。
#
# </details>
#
# ### 最小值到最大值，是最保险的范围吗
#
# 取数据的最小值和最大值作范围，什么也不截断，听上去最稳妥。
#
# **先猜。** 同样是高斯，样本从一千个增加到一百万个。最大值怎样变？4 位量化的噪声怎样变？

# %%
print("values    max|x|   noise, min-max range   noise, best range")
for n in (10**3, 10**4, 10**5, 10**6):
    y, noise = samples.distribution("normal", n).to(device), []
    for method in ("minmax", "mse"):
        p = QuantizationParams.from_tensor(y, QuantizationScheme.INT4, method=method)
        noise.append(power(y - UniformQuantizer(p)(y)))
    print(f"{n:7} {y.abs().max().item():8.2f} {noise[0]:17.4f} {noise[1]:22.4f}")

# %% [markdown]
# 数据越多，最大值越大，步长越粗，噪声一路上升。为了不伤害百万分之一的值，其余的值都付了代价。肯截断，噪声就不再随样本数变。所以「不截断」不等于「保险」。怎样选范围是[量化参数](03_params.ipynb)一章的题目。

# %% [markdown]
# ## 小结
#
# - 位宽决定字节：$n\,b/8$。字节决定内存流量。速度要在目标机器上测，伪量化测不出速度。
# - $\sigma_q^2 = \Delta^2/12$ 的条件是误差均匀：密度光滑，步长小，没有截断。ReLU 的 0、格点上的信号、太大的步长都会打破它。
# - 误差从不独立于信号，除非加减性抖动；那时 $\Delta^2/12$ 对任何信号都成立。
# - $\mathrm{SQNR} = 6.02\,b + 4.77 - 20\log_{10}\Gamma$。均匀分布是 $6.02\,b$，满幅正弦才有 $+1.76$，高斯更低。
# - 范围小了过载，范围大了粗糙。最好的截断位置随位宽变，最小值到最大值通常不是它。
# - Lloyd–Max：门限在正中，重建值在质心。带零点的整数格总是中平，因为 0 必须精确。
# - 高斯的极限是 $D(R) = \sigma^2\,2^{-2R}$。等距加熵编码离它 1.53 dB，也就是 0.255 bit。
#
# 下一章：[量化方案](02_schemes.ipynb)。有哪些整数可以用，4 位的数怎样装进字节。
