# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 信息论基础：量化丢掉了什么，要付多少代价
#
# 一个模型要装进手机，同事问：权重从 32 位改成 8 位，误差有多大？改成 4 位呢？工程师最常引用的回答是两句话：量化噪声功率是 $\Delta^2/12$；每多一位，信噪比提高约 6 dB。这两句话都很有用，但都有前提，而前提往往略去不写。
#
# 这一章我们先看一看、听一听量化丢掉了什么，再推导这两个结论，用数据验证，最后找出它们在什么情形下失效，失效时又怎么办。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先问：把权重从 32 位改成 8 位，文件小了几倍，效果差了多少？第一问人人会答，第二问要用整章来答。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **学完这一章，你能：**
#
# - 算出一层权重存成 8 位、4 位各占多少字节，并说明字节少了为什么可能更快，又为什么不一定；
# - 推导 $\Delta^2/12$，写出它成立的条件，并举出三种不成立的情形；
# - 说明抖动和随机舍入各换来什么、各付什么代价，并估计许多个误差加起来有多大；
# - 推导“每位 6.02 dB”，对均匀分布、满幅正弦、高斯三种信号写出各自的常数；
# - 在截断与分辨率之间，为高斯数据选出最好的范围。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 部分 | 时间 |
# |:--|:--|
# | 1 为什么要量化 | 20 分钟 |
# | 2 量化噪声功率 | 35 分钟 |
# | 3 量化信噪比 | 15 分钟 |
# | 4 截断与分辨率 | 16 分钟 |
# | 练习 | 24 分钟 |
# | 小结 | 4 分钟 |
# | ★ 选读 | 5 分钟 |
#
# 系统的介绍可参考综述（[Gray & Neuhoff，1998](references.ipynb)），量化噪声的细节可参考专著（[Widrow & Kollár，2008](references.ipynb)）。

# %% slideshow={"slide_type": "skip"}
import math

import torch
from torch.utils.benchmark import Timer

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import exercises, explore, noise_power, optimal_uniform, pack_int4, samples, sqnr_db
from quantcore import unpack_int4  # noqa: F401
from quantcore.calibration import clipping_noise
from quantcore.sheet import BLUE, PURPLE, RED, Sheet

device = "cuda" if torch.cuda.is_available() else "cpu"

# %% slideshow={"slide_type": "skip"}
explore.set_language("zh")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 为什么要量化
#
# ### 看一看，听一听
#
# 量化用有限个离散的值近似连续的数，一般无法还原，这叫**有损压缩**（lossy compression）。丢掉的是什么？我们先用眼睛和耳朵感受，再去计算。
#
# 下面是一张照片，$b$ 是位宽，每个颜色分量只有 $2^b$ 个**量化级**（level）可用。

# %% [markdown]
# **【操作】** 从 3 位开始：
#
# 1. 把位宽逐渐调大，到几位时你就看不出区别了？最后恢复正常的是天空，还是屋檐？
# 2. [**抖动**](glossary.ipynb#信息论)（dither）是在量化前加一点随机噪声，量化后再减去。勾选它，均方误差会变大、变小，还是差不多？看上去呢？

# %% slideshow={"slide_type": "subslide"}
explore.photo(samples.photograph(), bits=3)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 拖之前让全班各写一个数：几位时看不出区别？多数写 6 位到 7 位。往下拖，到天空出现色带时停下来问：为什么是天空？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 1. 几位因人而异，最后恢复正常的是天空。天空的亮度变化很慢，一级台阶盖住一大片，形成**色带**。屋檐细节丰富，误差不易察觉，这叫**视觉掩蔽**。
# 2. 除了 1 位，图下的 PSNR（峰值信噪比：信号取最大可能值的平方，再与误差的均方相比）几乎不变，可是色带没有了，变成均匀的颗粒。看右边的误差图：不加抖动，误差里还认得出照片的轮廓；加了抖动，就只剩下均匀的颗粒。
#
# 误差的**大小**没有变，变的是误差**与信号的关系**。第 2 节会算清楚。
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# 声音也一样。下面是一个渐渐弱下去的大三和弦，右图是它和误差的频谱，也就是每个频率的成分有多强。
#
# **【操作】** 先不加抖动，听 8 位，再听 3 位和 2 位，注意尾声。尾声比一个步长还弱的时候，你听到了什么？打开抖动，再听一遍。

# %% slideshow={"slide_type": "subslide"}
explore.chord(bits=3)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先放 8 位，再放 3 位，最后打开抖动。问：哪一种更“吵”，哪一种更“难听”？两个答案不同，这正是后面抖动一节的引子。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 位宽低时，尾声不是变轻，而是变成响度不减的嗡嗡声。这里的量化级从 $-1$ 等距排到 $1$，一共偶数个，0 不在其中，再弱的声音也要跳到 $\pm\Delta/2$ 上去，成了在两个值之间来回跳的方波（$\Delta$ 是步长）。右图里，误差的频谱是一根一根的谱线：一些落在和弦自己的三个频率上，说明误差与信号相关；其余是和弦里本来没有的频率。
#
# 打开抖动，谱线不见了，和弦又渐渐弱下去，代价是一层均匀的沙沙声。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 字节
#
# 付出这些，换来的首先是字节。一般地，$N$ 个 $b$ 位的数紧密排列，占
#
# $$
# \frac{N\,b}{8}\ \text{B}
# $$
# 〔[N1](06_summary.ipynb#公式总表)〕
#
# 其中 B 表示字节。大语言模型里，一个 $4096 \times 4096$ 的线性层很常见，拿它当例子。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 这一层的权重用 float32、int8、int4 存，各要多少 MiB？（1 MiB 是 $2^{20}$ 字节。）

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 常见的错误：按 10 的 6 次方算 MB，和 MiB 混起来。写出单位再算。

# %%
exercises.predict("layer-mib")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 权重有 $2^{12} \cdot 2^{12} = 2^{24}$ 个。每个占 4 字节、1 字节、半个字节，所以是 64、16、8 MiB。量化后还要存缩放因子；整层共用一个，就只多 4 个字节，可以忽略。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# 下一个单元格按公式算一遍，再量一量张量真正占的内存。torch 没有能做普通运算的 4 位类型（`torch.int4` 只是占位，一个元素仍占一个字节），所以 int4 的编码要用 `pack_int4` 两个两个地**打包**（pack）进一个字节。如果不打包，int4 就和 int8 一样大。

# %% slideshow={"slide_type": "fragment"}
def layer():
    """Its weights in float32, and their codes of 8 and of 4 bits."""
    w = torch.randn(4096, 4096, generator=torch.Generator().manual_seed(0)).to(device)
    params = (QuantizationParams.from_tensor(w, QuantizationScheme.from_bits(b)) for b in (8, 4))
    return w, *(UniformQuantizer(p).quantize(w) for p in params)


def sizes(w, q8, q4):
    print("storage   bytes predicted   bytes measured")
    for name, t, b in ("float32", w, 32), ("int8", q8, 8), ("int4", pack_int4(q4), 4):
        print(f"{name:7} {w.numel() * b // 8:17,} {t.nbytes:16,}")
    print(f"int4, not packed {q4.nbytes:24,}")


sizes(*layer())  # no name keeps the layer, so its memory is free again

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 字节少了，一定更快吗
#
# 这一层乘一个向量时，每个权重只用一次：一次乘、一次加，共 2 次运算。运算次数与读入的字节数之比叫**计算强度**（arithmetic intensity，也叫计算访存比；[Williams 等，2009](references.ipynb)）。float32 的权重每个 4 字节，计算强度只有每字节 0.5 次运算。处理器每读入一个字节的时间里，本可以完成多得多的运算，所以时间主要花在等待内存上，**读写的字节数近似决定时间**。语言模型一次只生成一句话时（批大小为 1），每生成一个词元，都要把这样的权重从内存里读一遍，正是这种情形。
#
# 同时处理 32 个向量（批大小为 32）就不同了。权重仍只读一遍，每个却要用 32 次，float32 的计算强度升到 16，乘法本身可能成为主要的工作，这时字节不再单独决定时间。
#
# 下一个单元格给四种做法计时，各乘 1 个和 32 个向量（第 4 种只乘 32 个）：
#
# 1. float32 的权重直接乘；
# 2. 把 int8 的编码反量化成 float32，再乘；
# 3. 把打包的 int4 **解包**（unpack）、反量化，再乘；
# 4. int8 直接乘 int8，在 int32 里累加。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def milliseconds(stmt, **tensors):
    timer = Timer(stmt, globals=globals() | tensors, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=0.2).median * 1e3


def intensity(t, vectors):
    return 2 * 4096**2 * vectors / t.nbytes


def times(what, stmt, t):
    print(f"{what:17} {intensity(t, 1):9.1f} {intensity(t, 32):9.1f}", end="")
    for n in (1, 32):
        print(f"{milliseconds(stmt, t=t, v=torch.randn(4096, n, device=device)):13.2f}", end="")
    print()

# %% tags=["fold", "nbval-ignore-output"] slideshow={"slide_type": "skip"}
# Times belong to the machine, so this output is not compared.
print("                    operations per byte            time, ms")
print("vectors                   1        32            1           32")
w, q8, q4 = layer()
q4 = pack_int4(q4)
times("1 float32 weights", "t @ v", w)
del w  # nothing below needs it
times("2 int8 -> float32", "t.float().mul_(0.04) @ v", q8)
times("3 int4 -> float32", "unpack_int4(t, (4096, 4096)).float().mul_(0.04) @ v", q4)
del q4
codes = torch.ones(32, 4096, dtype=torch.int8, device=device)
ms = milliseconds("torch._int_mm(v, t.T)", t=q8, v=codes)
print(f"4 int8 arithmetic {'-':>9} {intensity(q8, 32):9.1f} {'-':>12} {ms:12.2f}")
del q8

# %% [markdown] slideshow={"slide_type": "skip"}
# 第 2、3 种读入的权重字节少了，通常却比第 1 种**更慢**，第 3 种最慢：它们先要在内存里写出一份 float32 的权重，再照旧做浮点乘法。实际的推理引擎会做**算子融合**（kernel fusion）：编码读入寄存器后才解包、反量化，紧接着参与乘法，float32 权重始终不写回内存，这样，省下的字节才真正换来时间。
#
# 第 4 种用的是 torch 内部的整数矩阵乘法 `torch._int_mm`，快不快要看机器有没有 8 位整数的乘加指令。计时里没有算上量化输入向量和给每个输出乘缩放因子的时间，所以这个比较对它略有偏袒。
#
# 研究量化时常用的是另一种做法，叫**伪量化**（fake quantization；[Jacob 等，2018](references.ipynb)）：权重一直存成 float32，只在使用时舍入到量化级上，仍用浮点数计算，连字节也不省。伪量化能用来评估精度，却不能用来评估速度。这门课的大部分实验都是伪量化。
#
# 结论分两层：字节少了，这是确定的；能省多少时间，要在目标机器上用实际的引擎测量。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 量化噪声功率
#
# ### 推导
#
# [**步长**](glossary.ipynb#量化参数)（step）$\Delta$ 是相邻两个重建值的距离。$x$ 舍入到最近的重建值 $\hat x$；只要 $x$ 没有超出最外面的重建值，误差 $e = x - \hat x$ 就满足 $-\Delta/2 \le e \le \Delta/2$。**假设** $e$ 在这个区间里均匀分布，密度是 $1/\Delta$。那么 $\mathbb{E}[e] = 0$，而

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 板书：画一个台阶，标出 Δ，让学生说误差落在哪个区间。

# %% [markdown] slideshow={"slide_type": "subslide"}
# $$
# \sigma_q^2 = \mathbb{E}[e^2] = \int_{-\Delta/2}^{\Delta/2} \frac{e^2}{\Delta}\, \mathrm{d}e
# = \frac{1}{\Delta} \cdot \frac{2}{3} \left(\frac{\Delta}{2}\right)^3 = \frac{\Delta^2}{12}
# $$
# 〔[N2](06_summary.ipynb#公式总表)〕
#
# $\sigma_q^2$ 叫[**量化噪声功率**](glossary.ipynb#信息论)（quantization noise power；[Bennett，1948](references.ipynb)）。注意推导里没有出现 $x$ 的分布，它全藏在“假设”两个字里。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 积分让学生上来做，两行。

# %% [markdown] slideshow={"slide_type": "notes"}
# 我们把最简单的量化器写出来：重建值是 $\Delta$ 的全体整数倍，没有范围，所以不会**饱和截断**（clipping，也叫限幅、饱和，即超出范围的值停在最外面的重建值上；以下简称截断）。再用三种分布各一百万个数，对照 `quantcore` 的 INT8 量化器。

# %% slideshow={"slide_type": "skip"}
def nearest(x, step):
    """The nearest multiple of the step."""
    return step * torch.round(x / step)


def power(e):
    return e.double().square().mean().item()


# %% slideshow={"slide_type": "fragment"}
sources = ("uniform", "normal", "laplace")
data = {source: samples.distribution(source, 10**6).to(device) for source in sources}
print("source      step   predicted    measured   the same as nearest(x, step)")
for name, x in data.items():
    quantizer = UniformQuantizer(QuantizationParams.from_tensor(x, QuantizationScheme.INT8))
    x_hat, step = quantizer(x), quantizer.params.scale.item()
    same = torch.equal(x_hat, nearest(x, step))
    print(f"{name:7} {step:8.4f} {noise_power(step):11.3e} {power(x - x_hat):11.3e}   {same}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 三种分布差别很大，8 位时公式都准。现在把位宽往下拖。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【操作】** 中间那幅图是误差除以步长的分布，8 位时是平的。先预测：拖到 3 位、2 位，它还平吗？取消“对称”以后呢？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 预测：拖到 2 位，中间的直方图还是方的吗？先答再拖。

# %%
explore.quantization(samples.distribution("normal"), bits=8, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 3 位时仍是平的。勾着“对称”拖到 2 位，平顶变成了中间高、两边低：步长太宽，大部分数据落在 0 那一级的量化区间里，误差就是数据本身，均匀的假设不成立。
#
# 取消“对称”，步长只小了三分之一多，误差的分布却又几乎是平的。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 失效情形一：步长过大
#
# 多宽算太宽？
#
# **【预测】** $\Delta = \sigma$（$\sigma$ 是标准差）是很粗的步长，高斯的 $\pm 3\sigma$ 里只有 7 级。这时 $\Delta^2/12$ 差 10%、1%，还是远不到 1%？换成同样标准差的拉普拉斯分布呢？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 多数人认为步长等于标准差时公式早就失效了，其实还很准。

# %%
exercises.predict("coarse-step")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("step/sigma   step^2/12        normal               laplace")
for step in (0.5, 1.0, 2.0, 3.0, 4.0):
    print(f"{step:10} {noise_power(step):11.4f}", end="")
    for name in ("normal", "laplace"):
        x = data[name]
        measured = power(x - nearest(x, step))
        print(f"{measured:11.4f} ({measured / noise_power(step) - 1:+6.1%})", end="")
    print()

# %% [markdown] slideshow={"slide_type": "notes"}
# 括号里是实测值比 $\Delta^2/12$ 多或少的百分比，抽样误差约为 0.1%。

# %% [markdown] slideshow={"slide_type": "notes"}
# 对高斯，$\Delta = \sigma$ 时还看不出差别，到 $\Delta = 3\sigma$ 公式才明显偏大：$\Delta^2/12$ 的适用范围比人们通常以为的更宽。但这要归功于高斯的光滑。拉普拉斯的密度在 0 处有一个尖角，同样的步长已经差了几个百分点。所以位宽很低时，$\Delta^2/12$ 准不准要看数据的形状。

# %% [markdown] slideshow={"slide_type": "skip"}
# 常用的充分条件是：密度光滑，步长足够小，没有截断（[Bennett，1948](references.ipynb)）。
#
# ### 步长过大时差多少 ★
#
# 这一小节用到傅里叶级数，可以略过。结果是：$\Delta^2/12$ 之外有一串可以算出来的修正项，密度越光滑，修正项随 $\Delta$ 变小而消失得越快。
#
# 仍设重建值是 $\Delta$ 的整数倍，没有截断。那么 $e^2$ 是 $x$ 的周期函数，周期为 $\Delta$，在 $[-\Delta/2, \Delta/2]$ 上等于 $x^2$。它是偶函数，在一个周期上的平均值是 $\Delta^2/12$，余弦的系数由两次分部积分得到：
#
# $$
# a_k = \frac{2}{\Delta} \int_{-\Delta/2}^{\Delta/2} x^2 \cos\frac{2\pi k x}{\Delta}\, \mathrm{d}x
# = \frac{2}{\Delta} \cdot 2\Delta \left(\frac{\Delta}{2\pi k}\right)^2 \cos \pi k = \frac{\Delta^2}{\pi^2} \cdot \frac{(-1)^k}{k^2}
# $$
#
# 写成级数 $e^2 = \Delta^2/12 + \sum_k a_k \cos(2\pi k x/\Delta)$，两边取期望：
#
# $$
# \sigma_q^2 = \frac{\Delta^2}{12} + \frac{\Delta^2}{\pi^2} \sum_{k=1}^{\infty} \frac{(-1)^k}{k^2}\, \varphi\!\left(\frac{2\pi k}{\Delta}\right),
# \qquad \varphi(u) = \mathbb{E}[\cos(u x)]
# $$
# 〔[N3](06_summary.ipynb#公式总表)〕
#
# 分布关于 0 对称时，$\varphi$ 就是**特征函数**（characteristic function）。对高斯，利用 $x f(x) = -\sigma^2 f'(x)$ 分部积分，得 $\varphi'(u) = -\sigma^2 u\, \varphi(u)$，所以 $\varphi(u) = \mathrm{e}^{-\sigma^2 u^2/2}$；对拉普拉斯，直接积分得 $\varphi(u) = 1/(1 + \sigma^2 u^2/2)$。前者衰减得极快，后者只按 $1/u^2$ 衰减，这就是上表两列的差别。
#
# 两个条件要分清：
#
# - $\sigma_q^2 = \Delta^2/12$，当且仅当上式的和为 0。
# - $e$ 恰好均匀，当且仅当 $\mathbb{E}[\cos(2\pi k x/\Delta)]$ 和 $\mathbb{E}[\sin(2\pi k x/\Delta)]$ 对每个 $k \ge 1$ 都为 0（[Sripad & Snyder，1977](references.ipynb)）。原因是 $e$ 与 $x$ 相差 $\Delta$ 的整数倍，把 $x$ 换成 $e$，这些期望不变；它们正是 $e$ 的密度的傅里叶系数，全为 0 就只剩常数。
#
# 后者推出前者，反过来不行：$x$ 只取 $k\Delta \pm \Delta/\sqrt{12}$ 时，噪声功率恰好是 $\Delta^2/12$，误差却只有两个值。

# %% slideshow={"slide_type": "skip"}
def phi(name, u):
    return torch.exp(-(u**2) / 2) if name == "normal" else 1 / (1 + u**2 / 2)


k = torch.arange(1, 1000, dtype=torch.float64)
print("relative to step^2/12:    normal                 laplace")
print("step/sigma         predicted   measured   predicted   measured")
for step in (0.5, 1.0, 2.0, 3.0, 4.0):
    print(f"{step:10}        ", end="")
    for name in ("normal", "laplace"):
        x = data[name]
        series = 12 / math.pi**2 * ((-1) ** k / k**2 * phi(name, 2 * math.pi * k / step)).sum()
        measured = power(x - nearest(x, step)) / noise_power(step) - 1
        print(f"{series:+10.1e} {measured:+10.4f}", end="   ")
    print()

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 失效情形二：信号恰好落在网格点上
#
# $\Delta$ 的整数倍组成一个网格。如果信号的取值没有在一个步长内充分散开，步长再小，公式也会失效。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 下面五种信号的噪声功率是 $\Delta^2/12$ 的几倍？前四种取 $\Delta = 1/8$。
#
# 1. 高斯；
# 2. 高斯经过 ReLU，负的都变成 0；
# 3. 已经以同样的步长量化过一次的高斯；
# 4. 第 3 种再加 $\Delta/2$；
# 5. 上面的照片，取 8 位的步长 $\Delta = 1/255$。像素本来是 $k/255$，载入时每 4 个平均成一个，取值变成 $k/1020$（$k$ 是整数）；近似认为 $k$ 除以 4 的四种余数同样多。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 五行逐行表决。争议最大的是第四种，即网格点移半步，留给说得出理由的同学。

# %%
exercises.predict("between-noise")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 1. 1 倍。
# 2. 0.5 倍。一半的值恰好是 0，没有误差；另一半照旧。ReLU 之后的激活值就是这样。
# 3. 0 倍。所有的值都在网格点上。
# 4. 3 倍。每个误差都是 $\pm\Delta/2$，功率是 $\Delta^2/4$。
# 5. 1.125 倍。误差只可能是 $0$、$\pm\tfrac14\Delta$、$\pm\tfrac12\Delta$，均方是 $\tfrac14\left(0 + \tfrac1{16} + \tfrac14 + \tfrac1{16}\right)\Delta^2 = \tfrac{3}{32}\Delta^2$。
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
normal, photo = data["normal"], samples.photograph().flatten().to(device)
eighths = nearest(normal, 1 / 8)
cases = {"1 normal": (normal, 1 / 8, 1), "2 relu": (normal.clamp_min(0), 1 / 8, 1 / 2)}
cases |= {"3 on the grid": (eighths, 1 / 8, 0), "4 between": (eighths + 1 / 16, 1 / 8, 3)}
cases |= {"5 photo": (photo, 1 / 255, 1.125)}
print("source          predicted   measured   (times step^2/12)")
for name, (x, step, ratio) in cases.items():
    measured = power(x - nearest(x, step)) / noise_power(step)
    print(f"{name:13} {ratio:11.3f} {measured:10.3f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 失效情形三：信号超出范围
#
# 真正的量化器只有有限个量化级。$x$ 超出最外面的重建值就被截断，$e$ 不再限于 $\pm\Delta/2$，可以任意大。下面把范围固定在 $\pm2\sigma$，只加位宽：

# %% slideshow={"slide_type": "fragment"}
print("b   step^2/12    measured")
for b in (4, 6, 8):
    step = 2 / (2 ** (b - 1) - 1)
    x_hat = nearest(normal.clamp(-2, 2), step)
    print(f"{b}   {noise_power(step):9.2e} {power(normal - x_hat):11.2e}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 公式说噪声应当一路下降，实测值却停住了，因为剩下的是超出范围的那些值的误差。第 4 节会把它算出来。

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 另一个假设：误差独立于信号
#
# 工程上常把量化写成 $\hat x = x - e$，把 $e$ 当成一份与 $x$ 独立的噪声，这叫**加性噪声模型**。这是 $\Delta^2/12$ 之外的另一个假设：$\Delta^2/12$ 只要求 $e$ 均匀，并不要求独立。
#
# **【思考】** 误差和信号独立吗？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 问：同一个 x 量化两次，误差会变吗？由此看出误差是 x 的函数，并不随机。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 不独立。$e = x - \hat x$，而 $\hat x$ 由 $x$ 决定，所以知道了 $x$，$e$ 就完全确定。只有误差是常数（例如恒为 0）时才谈得上独立。
#
# 步长小、密度光滑时，$e$ 和 $x$ 近似**不相关**，很多计算只需要这一点。但不相关不等于独立；步长较大时，连“不相关”也不成立。照片里误差的轮廓、和弦的三个频率上的谱线，都是误差与信号相关的表现。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 解决办法：减性抖动
#
# 取一个随机数 $d$，在 $[-\Delta/2, \Delta/2]$ 上均匀分布，与 $x$ 独立。用 $Q$ 表示舍入到最近的重建值，量化前加上 $d$，量化后减去：
#
# $$
# \hat x = Q(x + d) - d
# $$
# 〔[N10](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 这时误差 $e = x - \hat x = (x + d) - Q(x + d)$，也就是 $x + d$ 到最近网格点的偏差。固定 $x$，$x + d$ 在一段长为 $\Delta$ 的区间上均匀分布，恰好是网格的一个完整周期，所以偏差在 $[-\Delta/2, \Delta/2]$ 上均匀分布。换一个 $x$，结论不变。于是**对任何信号**，$e$ 都均匀，而且与 $x$ 独立，$\sigma_q^2 = \Delta^2/12$ 严格成立（[Roberts，1962](references.ipynb)；[Schuchman，1964](references.ipynb)）。

# %% [markdown]
# 假设变成了定理。这种做法叫**减性抖动**（subtractive dither），前提是收发两边知道同一串 $d$，并且不截断。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下面五种信号，如果两个假设都成立，噪声功率与 $\Delta^2/12$ 之比应当是 1，误差与信号的相关系数应当是 0。

# %% slideshow={"slide_type": "skip"}
def uniform(x):
    """One random number in [0, 1) for each value, the same every time."""
    return torch.rand(x.shape, generator=torch.Generator().manual_seed(1)).to(x.device)


def subtractive(x, step):
    d = step * (uniform(x) - 0.5)
    return nearest(x + d, step) - d


def correlation(x, e):
    return torch.corrcoef(torch.stack([x.double(), e.double()]))[0, 1].item()


# %% slideshow={"slide_type": "fragment"}
chord = samples.chord().to(device)
dithered = {"normal, 3 sigma": (normal, 3.0), "relu": (normal.clamp_min(0), 1 / 8)}
dithered |= {"between": (eighths + 1 / 16, 1 / 8)}
dithered |= {"chord, 2 bits": (chord, 2 / 3), "photo, 1 bit": (photo, 1.0)}
print("                  without dither           with dither")
print("source            power   correlation      power   correlation")
print(f"predicted         {1:5.2f} {0:13.2f} {1:10.2f} {0:13.2f}")
for name, (x, step) in dithered.items():
    print(f"{name:17}", end="")
    for e in (x - nearest(x, step), x - subtractive(x, step)):
        print(f"{power(e) / noise_power(step):6.2f} {correlation(x, e):z13.2f}", end="     ")
    print()

# %% [markdown] slideshow={"slide_type": "notes"}
# 不加抖动时，功率五行全错，相关系数错三行：`relu` 和 `between` 的误差与信号几乎不相关，功率照样错。可见这是两个不同的假设。加了抖动，在抽样误差之内都是 1 和 0。
#
# 抖动并不是为了减小噪声，五行里有四行噪声反而大了。它换来的是：噪声的大小可以预测，而且与信号无关。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 和弦上的谱线有多强 ★
#
# 这一小节用到离散傅里叶变换，可以略过。结果是：不加抖动，误差的能量大量集中在和弦自己的三个频率上；加了抖动，能量均匀分布在所有频率上，三个频率附近（各 $\pm 6$ Hz）大约只占应占的份额。

# %% slideshow={"slide_type": "skip"}
def share_on_notes(e):
    """Part of the energy within 6 Hz of the chord's three notes, of 8000 Hz in all."""
    window = torch.hann_window(len(e), dtype=torch.float64, device=e.device)
    energy = torch.fft.rfft(e.double() * window).abs().square()
    hertz = torch.fft.rfftfreq(len(e), 1 / 16_000, device=e.device)
    near = sum((hertz - note).abs() <= 6 for note in (261.63, 329.63, 392.00)) > 0
    return (energy[near].sum() / energy.sum()).item()


print(f"predicted for white noise {3 * 12 / 8000:8.2%}")
for b in (2, 3):
    step = 2 / (2**b - 1)
    e = chord - (nearest(chord - step / 2, step) + step / 2)  # no level at 0, as in the figure
    print(f"{b} bits, without dither {share_on_notes(e):12.2%}")
    print(f"{b} bits, with dither {share_on_notes(chord - subtractive(chord, step)):15.2%}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 不减回去：随机舍入
#
# 减去 $d$ 要求解码的一方知道 $d$。如果不减，$\hat x = Q(x + d)$ 就是**非减性抖动**（non-subtractive dither）。结果仍在网格上，可以存成整数，所以低精度训练用的是这一种。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 多数人答“期望等于 x，所以没有坏处”。追问方差。

# %% [markdown] slideshow={"slide_type": "notes"}
# 设 $x = (m + r)\,\Delta$，$m$ 是整数，$0 \le r < 1$。$x + d$ 超过 $(m + \tfrac12)\Delta$ 的概率是 $r$，所以 $\hat x$ 以概率 $r$ 等于 $(m + 1)\Delta$，以概率 $1 - r$ 等于 $m\Delta$。离哪一边近，就以更大的概率舍到哪一边，这又叫[**随机舍入**](glossary.ipynb#量化器与整数运算)（stochastic rounding；[Gupta 等，2015](references.ipynb)）。

# %% [markdown]
# **【计算】** 固定 $x$，求 $\mathbb{E}[\hat x]$ 和 $\mathbb{E}[e^2]$；再设 $r$ 在 $[0, 1)$ 上均匀分布，求平均的噪声功率。

# %%
exercises.predict("stochastic-noise")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 均值是 $(1 - r)\,m\Delta + r\,(m + 1)\Delta = x$。所以随机舍入对**每一个** $x$ 都是无偏的；舍入到最近的数时，一个固定的 $x$ 的误差是固定的，做不到这一点。
#
# 误差以概率 $1 - r$ 等于 $r\Delta$，以概率 $r$ 等于 $-(1 - r)\Delta$，所以
#
# $$
# \mathbb{E}[e^2 \mid x] = (1 - r)\,r^2\Delta^2 + r\,(1 - r)^2\Delta^2 = r\,(1 - r)\,\Delta^2
# $$
#
# 它在网格点上是 0，在两点正中是 $\Delta^2/4$，随 $x$ 变化：误差不再与 $x$ 独立。对 $r$ 求平均：
#
# $$
# \int_0^1 r\,(1 - r)\,\mathrm{d}r \cdot \Delta^2 = \frac{\Delta^2}{6} = 2 \cdot \frac{\Delta^2}{12}
# $$
# 〔[N17](06_summary.ipynb#公式总表)〕
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# 代码只有一行：加一个 $[0, 1)$ 上的均匀随机数，再向下取整。

# %% slideshow={"slide_type": "skip"}
def stochastic(x, step):
    """Up with the probability r, down with 1 - r."""
    return step * torch.floor(x / step + uniform(x))


# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("            mean of x_hat            power, times step^2/12")
print("x/step   predicted   measured        predicted   measured")
for r in (0.0, 0.1, 0.5, 0.9):
    x_hat = stochastic(torch.full((10**6,), r, device=device), 1.0)
    print(f"{r:6} {r:11.3f} {x_hat.mean().item():10.3f}", end="")
    print(f"{12 * r * (1 - r):17.3f} {12 * power(r - x_hat):10.3f}")
e = normal - stochastic(normal, 1 / 8)
print(f"normal {0:11.3f} {e.mean().item():z10.3f} (of e)", end="")
print(f"{2:10.3f} {power(e) / noise_power(1 / 8):10.3f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 误差之和：偏差与噪声
#
# 无偏为什么值得付两倍的噪声功率？因为网络里的数总是成千上万地相加。设 $N$ 个误差互相独立，各有均值 $\mu$（称为**偏差**（bias））和标准差 $\sigma_e$，它们的和的均方根是
#
# $$
# \sqrt{(N\mu)^2 + N\sigma_e^2}
# $$
# 〔[N18](06_summary.ipynb#公式总表)〕
#
# 噪声有正有负，大半抵消，只按 $\sqrt N$ 增长；偏差不抵消，按 $N$ 增长。$N$ 足够大时，再小的偏差也会超过噪声。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 取 $\Delta = 1$。$10^4$ 个误差之和，下面四种情形大约各是多少？哪一种最小？
#
# 1. 高斯，舍入到最近的整数；
# 2. 高斯，一律向下取整；
# 3. 每个数都是 0.1，舍入到最近的整数；
# 4. 每个数都是 0.1，随机舍入。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 让学生先定量级：一万项的和，误差是几个、几十个，还是几千个？

# %%
exercises.predict("tenths-sum")

# %% tags=["predict"] slideshow={"slide_type": "skip"}
def down(x, step):
    return step * torch.floor(x / step)


values = samples.distribution("normal", 2 * 10**6).to(device)
tenths = torch.tensor(0.1, device=device).expand_as(values)
sums = {  # the values, their rounding, and the mean and standard deviation of one error
    "1 normal, nearest": (values, nearest, 0, 12**-0.5),
    "2 normal, down": (values, down, 0.5, 12**-0.5),
    "3 tenths, nearest": (tenths, nearest, 0.1, 0),
    "4 tenths, stochastic": (tenths, stochastic, 0, 0.3),
}

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
counts = (1, 100, 10_000)
print("rms of the sum of    " + "".join(f"{f'{n} terms':>21}" for n in counts))
print(f"{'':21}" + "  predicted  measured" * 3)
for name, (x, rounded, mean, deviation) in sums.items():
    e = x - rounded(x, 1.0)
    print(f"{name:21}", end="")
    for n in counts:
        predicted = math.hypot(n * mean, n**0.5 * deviation)
        measured = power(e.view(-1, n).sum(1, dtype=torch.float64)) ** 0.5
        print(f"{predicted:11.2f} {measured:9.2f}", end="")
    print()

# %% [markdown] slideshow={"slide_type": "notes"}
# 项数变为 100 倍时，第 1、4 两种只变为 10 倍，第 2、3 两种大约变为 100 倍。（每种用了二百万个误差，$10^4$ 个一组只有 200 组，实测值有百分之几的抽样误差。）第 3、4 种说的正是训练：每次更新量若小于半个步长，舍入到最近的数会把它全部丢掉，一万次也不动；随机舍入每次只有一成的机会动一下，平均下来却一点不差。

# %% [markdown] slideshow={"slide_type": "notes"}
# 偏差的来源不止取整。只在一端截断、网格左右不对称（例如编码 $-8 \dots 7$），误差的均值也可能不是 0。在[均匀量化器](04_quantizer.ipynb)一章，半整数的舍入规则也会带来偏差。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 量化信噪比
#
# ### 定义
#
# 噪声是大是小，要跟信号比。[**量化信噪比**](glossary.ipynb#信息论)（signal-to-quantization-noise ratio，SQNR，通信教材也写作“信号量噪比”）是信号**功率**与噪声**功率**之比，单位是分贝（dB）：
#
# $$
# \mathrm{SQNR} = 10 \log_{10} \frac{\mathbb{E}[x^2]}{\sigma_q^2} \ \mathrm{dB}
# $$
# 〔[N4](06_summary.ipynb#公式总表)〕
#
# 功率是幅度的平方，所以用幅度（均方根）之比来算，系数是 20，结果相同。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 设 $\hat x = 0.9\,x$，误差的幅度是信号的十分之一。SQNR 是 10、20、40，还是 $-20$ dB？答完再看后面的单元格，那里有四种写法，一种对，三种是常见的错。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 猜 10 dB 的人忘了平方。

# %%
exercises.predict("tenth-error")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
e = normal - 0.9 * normal
ratio = power(normal) / power(e)
print(f"10 log10 of the power ratio       {10 * math.log10(ratio):6.2f}")
print(f"20 log10 of the power ratio       {20 * math.log10(ratio):6.2f}   wrong: squares twice")
print(f"10 log10 of the amplitude ratio   {10 * math.log10(ratio**0.5):6.2f}   wrong: no square")
print(f"10 log10 of noise over signal     {10 * math.log10(1 / ratio):6.2f}   wrong: upside down")
print(f"sqnr_db                           {sqnr_db(normal, 0.9 * normal):6.2f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 每多一位，约 6 分贝
#
# 用 $2^b$ 个等宽的量化区间铺满 $[-A, A]$，每个区间的重建值在正中，步长是 $\Delta = 2A/2^b$。信号的均值为 0，标准差是 $\sigma$。记 $\Gamma = A/\sigma$，称为**负载因子**（loading factor，与散列表的负载因子无关），即范围的半宽是标准差的多少倍。代入 $\Delta^2/12$：
#
# $$
# \frac{\sigma^2}{\sigma_q^2} = \frac{12\,\sigma^2}{\Delta^2} = \frac{12\,\sigma^2 \cdot 4^b}{4A^2} = \frac{3 \cdot 4^b}{\Gamma^2}
# $$

# %% [markdown] slideshow={"slide_type": "subslide"}
# 取对数：
#
# $$
# \mathrm{SQNR} = 6.02\,b + 4.77 - 20\log_{10}\Gamma \ \mathrm{dB}
# $$
# 〔[N5](06_summary.ipynb#公式总表)〕
#
# 6.02 是 $10\log_{10}4$：多一位，步长减半，噪声功率剩四分之一。4.77 是 $10\log_{10}3$。随信号变的只有最后一项。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 三种信号的常数项（也就是 $4.77 - 20\log_{10}\Gamma$）各是多少？
#
# 1. 均匀分布，占满 $[-A, A]$；
# 2. 满幅正弦，振幅为 $A$；
# 3. 高斯，取 $A = 4\sigma$。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请记住高斯的常数是负的。手册上的数是正弦的，用到数据上就偏高。

# %%
exercises.predict("gaussian-constant")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 1. $\sigma^2 = (2A)^2/12 = A^2/3$，$\Gamma = \sqrt3$，常数是 0，$\mathrm{SQNR} = 6.02\,b$ dB。〔[N6](06_summary.ipynb#公式总表)〕
# 2. $\sigma^2 = A^2/2$，$\Gamma = \sqrt2$，常数是 1.76，$\mathrm{SQNR} = 6.02\,b + 1.76$ dB。〔[N7](06_summary.ipynb#公式总表)〕
# 3. $\Gamma = 4$，常数是 $-7.27$，$\mathrm{SQNR} = 6.02\,b - 7.27$ dB。
#
# 高斯最低，因为它大部分时间在 0 附近，却要为偶尔才到的 $4\sigma$ 留出范围，许多量化级很少用到。
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# **【思考】** 模数转换器的手册写着“8 位，49.9 dB”。同事用这个数去估计高斯权重取 $\pm4\sigma$、量化到 8 位的 SQNR。他高估了多少分贝？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $6.02\,b + 1.76$ 只属于满幅正弦。高斯取 $\Gamma = 4$，公式是 $6.02\,b - 7.27$，差 9 dB，相当于一位半。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# 把这个量化器写出来：`floor` 找到 $x$ 所在的量化区间，加半个步长就是区间的正中。

# %% slideshow={"slide_type": "skip"}
def middles(x, bits, reach):
    """2^bits intervals of equal width fill [-reach, reach]; each level is its interval's middle."""
    step = 2 * reach / 2**bits
    interval = torch.floor(x / step).clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return (interval + 0.5) * step


def formula_db(bits, loading):
    return 10 * math.log10(3 * 4**bits / loading**2)


sine = torch.sin(2 * torch.pi * (torch.arange(10**6).double() + 0.5) / 10**6).float().to(device)
three = {"uniform": (data["uniform"], 3**0.5, 1), "sine": (sine, 2**0.5, 0.5**0.5)}
three |= {"normal": (normal, 4.0, 1)}  # values, loading factor, sigma

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
widths = (1, 2, 3, 4, 6, 8, 10, 12)
found = {
    name: [sqnr_db(x, middles(x, b, loading * sigma)) for b in widths]
    for name, (x, loading, sigma) in three.items()
}
print("b" + "".join(f"{name:>20}" for name in three))
for i, b in enumerate(widths):
    pairs = [(formula_db(b, three[name][1]), found[name][i]) for name in three]
    print(f"{b:2}" + "".join(f"{p:12.2f} {m:7.2f}" for p, m in pairs))
print("     each pair: predicted, measured, in dB")

# %% tags=["fold", "predict"] slideshow={"slide_type": "subslide"}
sheet = Sheet(panels=1, height=3.6)
sheet.frame(0, "three sources", "bit width b", "SQNR, dB", (0.5, 12.5), (-5, 78))
for (name, (_, loading, _)), color in zip(three.items(), (BLUE, PURPLE, RED)):
    line = [formula_db(b, loading) for b in widths]
    sheet.line(0, f"{name}, predicted", widths, line, color=color, linewidth=1)
    sheet.points(0, f"{name}, measured", widths, found[name], color=color, markersize=9)
sheet.legend(0, loc="upper left")
last = {name: f"{found[name][-1]:.1f}" for name in three}
sheet.show("information-three-sources", bits=widths[-1], **last)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 三条线与三列点对着看，先找离开直线的点，再问原因。

# %% [markdown] slideshow={"slide_type": "notes"}
# 均匀分布处处吻合。另外两种有偏离，而且偏得有道理：

# %% [markdown] slideshow={"slide_type": "notes"}
# - **正弦**在低位宽时偏低，1 位时低 1.3 dB。正弦在峰顶停留得久，密度在那里不光滑，不满足 Bennett 的条件。峰顶又恰好在最外面的量化区间的边上，那里误差最大，所以偏低；要是把一个量化级放在 $\pm A$，就会偏高。位宽高了，偏差就消失。
# - **高斯**在 1 位时偏低：步长是 $4\sigma$，太大了。偏的方向却和第 2 节相反。那里 0 是一个重建值（**中平型**量化器），噪声比 $\Delta^2/12$ 小；这里 0 是两个量化区间的分界，两级在 $\pm2\sigma$（**中升型**），0 附近的大量数据都错近 $2\sigma$，噪声比 $\Delta^2/12$ 大。两种类型在[率失真](01b_rate_distortion.ipynb)一章细讲。
# - **高斯**从 8 位起弯了下来，再加位宽，每位的好处越来越小。公式只算了量化区间以内的误差，没有算 $4\sigma$ 以外被截断的那一点；位宽越高，那一点越显眼。

# %% [markdown] slideshow={"slide_type": "skip"}
# 前两条的方向可以验证。我们只挪动量化级的位置，预测各用自己的步长：

# %% slideshow={"slide_type": "skip"}
outermost = 2 / 3  # step of a sine's 2 bits when its outermost levels lie at its peaks
rows = {
    "sine, peak between levels": (sine, middles(sine, 2, 1.0), 0.5),
    "sine, peak at a level": (sine, middles(sine, 2, 2 * outermost), outermost),
    "normal, 0 between levels": (normal, middles(normal, 1, 4.0), 4.0),
    "normal, 0 at a level": (normal, nearest(normal, 4.0), 4.0),
}
print("                             predicted   measured   (SQNR in dB)")
for name, (x, x_hat, step) in rows.items():
    predicted = 10 * math.log10(power(x) / noise_power(step))
    print(f"{name:26} {predicted:11.2f} {sqnr_db(x, x_hat):10.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 第三条还说明，“量化级越多越好”是有限度的。高斯取 $\pm4\sigma$，从 10 位加到 12 位，公式说多 12 dB，实际远没有这么多（看三种信号那张表的最后两行）。范围不变时，增加级的个数只减小量化区间以内的误差，减不掉截断的误差；一旦截断误差占主导，再增加级的个数也用处不大。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 截断与分辨率
#
# ### 两种噪声
#
# 现在让范围变动。取最外面的两个重建值为 $\pm c$，$2^b$ 个重建值之间有 $2^b - 1$ 个步长，所以 $\Delta = 2c/(2^b - 1)$。这与上一节的 $2A/2^b$ 是同一个量化器的两种说法：$A$ 量到最外面的量化区间的**外边缘**，$c$ 量到最外面的**重建值**，两者差半个步长。
#
# $$
# c = A - \frac{\Delta}{2} = A\left(1 - \frac{1}{2^b}\right)
# \quad\Rightarrow\quad A = \frac{2^b}{2^b - 1}\,c, \qquad \frac{2A}{2^b} = \frac{2c}{2^b - 1}
# $$

# %% [markdown] slideshow={"slide_type": "skip"}
# 第三种取法是 `quantcore` 的对称量化（[量化参数](03_params.ipynb)一章）：0 是重建值，最外面的编码取 $\pm(2^{b-1} - 1)$，中间有 $2^b - 2$ 个步长，$s = \max\lvert x \rvert / (2^{b-1} - 1)$。范围都写成 $\pm 1$ 时，三种步长是：

# %% tags=["fold"] slideshow={"slide_type": "skip"}
print("b    2A/2^b   2c/(2^b - 1)   max/(2^(b-1) - 1)   dB lost to the first")
for b in (2, 4, 6, 8):
    steps = 2 / 2**b, 2 / (2**b - 1), 1 / (2 ** (b - 1) - 1)
    lost = [20 * math.log10(step / steps[0]) for step in steps]
    print(f"{b} {steps[0]:9.4f} {steps[1]:14.4f} {steps[2]:19.4f} {lost[1]:15.2f} {lost[2]:6.2f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# 位宽低时差得多，所以引用公式之前要看清范围量到哪里。

# %% [markdown] slideshow={"slide_type": "notes"}
# 范围以内的误差来自舍入，叫[**颗粒噪声**](glossary.ipynb#信息论)（granular noise）；范围以外的误差来自截断，叫[**过载噪声**](glossary.ipynb#信息论)（overload noise）。设 $\sigma = 1$，密度 $f(x)$ 关于 0 对称。颗粒噪声就是把 $\Delta^2/12$ 限制在范围以内：$D_g \approx \frac{\Delta^2}{12}\, P(\lvert x \rvert \le c)$。〔[N8](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "skip"}
# 范围外的值都变成 $\pm c$。对高斯，$f'(x) = -x f(x)$，于是 $\int_c^\infty x f\,\mathrm{d}x = f(c)$，分部积分得 $\int_c^\infty x^2 f\,\mathrm{d}x = \big[-x f\big]_c^\infty + \int_c^\infty f\,\mathrm{d}x = c f(c) + P(x > c)$。展开平方再代入：
#
# $$
# \begin{aligned}
# D_o &= 2\int_c^\infty (x - c)^2 f\, \mathrm{d}x = 2\int_c^\infty x^2 f\, \mathrm{d}x - 4c\int_c^\infty x f\, \mathrm{d}x + 2c^2\, P(x > c) \\
# &= 2\left[c f(c) + P(x > c)\right] - 4c f(c) + 2c^2\, P(x > c) = 2\left[(1 + c^2)\,P(x > c) - c f(c)\right]
# \end{aligned}
# $$
# 〔[N9](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "skip"}
# 一种叫 ACIQ 的方法用同样的 $D_o$ 来选截断的位置（[Banner 等，2019](references.ipynb)）。它的颗粒项取 $\Delta = 2c/2^b$，也不乘 $P(\lvert x\rvert \le c)$，所以位宽低时得到的 $c$ 大一些。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【操作】** 先预测，再拖动。4 位，$c$ 从 4 减到 2，哪一种噪声变大，哪一种变小？最好的 $c$ 大约在哪里？换成 8 位呢？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 让学生先指出谷底在哪里，再问：往左是哪一种误差，往右是哪一种？

# %%
explore.clipping(bits=4, clip=4.0)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $c$ 减小，颗粒噪声变小，过载噪声变大。总噪声的谷底就是最好的 $c$，4 位时约为 2.5。位宽越高，颗粒噪声越小，谷底越往右移。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# 取 4 位，把高斯数按是否落在 $[-c, c]$ 里分开测。`middles` 的范围量到外边缘，所以传给它 $A = c\,2^b/(2^b - 1)$。范围外的样本很少，所以过载噪声有百分之几的抽样误差。

# %% slideshow={"slide_type": "skip"}
b = 4
print("c/sigma   granular predicted, measured   overload predicted, measured")
for c in (1.5, 2.0, 2.5, 3.0, 4.0):
    e = normal - middles(normal, b, c * 2**b / (2**b - 1))
    inside = normal.abs() <= c
    granular, overload = (power(e * part) for part in (inside, ~inside))
    pg, po = (d.item() for d in clipping_noise(torch.tensor(c, dtype=torch.float64), 2**b - 1))
    print(f"{c:7} {pg:19.5f} {granular:10.5f} {po:19.5f} {overload:10.5f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 最好的范围随位宽变
#
# `optimal_uniform` 不用近似，直接求均方误差最小的等距重建值。下表把它最外面的一级（`exact`）与两式之和的谷底对照；`ACIQ` 一列换成 ACIQ 的颗粒项；最后一列是每多一位，SQNR 增加几分贝。

# %% tags=["fold"] slideshow={"slide_type": "fragment"}
clips = torch.linspace(0.5, 6, 5501, dtype=torch.float64)
before = optimal_uniform(2, "normal").mse
print("b   best c: predicted, exact, ACIQ   noise: predicted, exact   dB gained")
for b in range(2, 9):
    granular, overload = clipping_noise(clips, 2**b - 1)
    total, best = granular + overload, optimal_uniform(2**b, "normal")
    c, exact = clips[total.argmin()].item(), best.levels[-1].item()
    paper = clips[(clips**2 / (3 * 4**b) + overload).argmin()].item()
    print(f"{b} {c:17.2f} {exact:7.2f} {paper:6.2f}", end="")
    print(f"{total.min().item():19.2e} {best.mse:8.2e} {10 * math.log10(before / best.mse):11.2f}")
    before = best.mse

# %% [markdown] slideshow={"slide_type": "notes"}
# **【思考】** 范围已经取到最好，为什么每位还是不到 6.02 dB？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 多一位，最好的 $c$ 也变大，步长减不到一半。“每位 6 dB”要求范围不变，而且没有截断。对高斯，这两条不能同时满足。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 最小值到最大值，是最保险的范围吗
#
# 取最小值到最大值作范围，什么也不截断，似乎最稳妥。
#
# **【预测】** 同样是高斯，样本从一千个增加到一百万个。最大值怎样变？4 位量化的噪声怎样变？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 表决：上升、不变、下降。答“不变”的最多。

# %%
exercises.predict("more-samples")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("values    max|x|   noise, min-max range   noise, best range")
for count in (10**3, 10**4, 10**5, 10**6):
    x, noise = samples.distribution("normal", count).to(device), []
    for method in ("minmax", "mse"):
        p = QuantizationParams.from_tensor(x, QuantizationScheme.INT4, method=method)
        noise.append(power(x - UniformQuantizer(p)(x)))
    print(f"{count:7} {x.abs().max().item():8.2f} {noise[0]:17.4f} {noise[1]:22.4f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 数据越多，最大值越大，噪声一路上升：为了保住百万分之一的数据，其余的都付出了代价。只要允许截断，噪声几乎不再增长。所以“不截断”不等于“保险”。选范围的方法见[量化参数](03_params.ipynb)一章。

# %% [markdown] slideshow={"slide_type": "skip"}
# ## 练习
#
# 这些练习留到课后做。每一题先写答案，再运行下一个单元格检查；检查不通过时，会给出最小的反例和提示。还没有动手的题，检查只会说“还没有完成”。

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（6 分钟，难度 2/3）一律向下取整，$\hat x = \Delta\lfloor x/\Delta\rfloor$，设误差 $e = x - \hat x$ 在 $[0, \Delta)$ 里均匀分布。写出 `my_floor_noise(step)`：`step` 是步长 $\Delta$，返回三个数：误差的均值、方差、功率（均方）。

# %% slideshow={"slide_type": "skip"}
def my_floor_noise(step):
    return ...  # mean, variance, power

# %% slideshow={"slide_type": "skip"}
exercises.check("floor-noise", my_floor_noise)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_floor_noise(step):
#     mean, variance = step / 2, step**2 / 12
#     return mean, variance, variance + mean**2
# ```
#
# 均匀分布的方差只看区间的长度，仍是 $\Delta^2/12$；功率是方差加上均值的平方，$\Delta^2/12 + \Delta^2/4 = \Delta^2/3$。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（5 分钟，难度 1/3）不看上面的 `formula_db`，从 $\Delta^2/12$ 推出 `my_formula(bits, loading)`：位宽 `bits` 是 $b$，负载因子 `loading` 是 $\Gamma = A/\sigma$，返回没有截断时的 SQNR，单位 dB。常数用 `math.log10` 算，不要写成 6.02 这样四舍五入的数。

# %% slideshow={"slide_type": "skip"}
def my_formula(bits, loading):
    return ...  # your code; math.log10

# %% slideshow={"slide_type": "skip"}
exercises.check("sqnr-formula", my_formula)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_formula(bits, loading):
#     return 10 * math.log10(3 * 4**bits / loading**2)
# ```
#
# 步长 $\Delta = 2A/2^b$，噪声 $\Delta^2/12 = A^2/(3 \cdot 4^b)$，信号 $\sigma^2 = A^2/\Gamma^2$。1.76 dB 只是 $\Gamma = \sqrt2$ 的情形。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（5 分钟，难度 2/3）写出 `my_dithered(x, d, step)`：`x` 是浮点张量，`d` 是与 `x` 同样形状的抖动，量化前加上，量化后减去，返回重建值。

# %% slideshow={"slide_type": "skip"}
def my_dithered(x, d, step):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("subtractive-dither", my_dithered)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_dithered(x, d, step):
#     return step * torch.round((x + d) / step) - d
# ```
#
# 误差 $x - \hat x = (x + d) - \Delta\operatorname{rint}((x + d)/\Delta)$，由 $x + d$ 决定，不再由 $x$ 单独决定。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（8 分钟，难度 2/3）`x` 是浮点张量，步长是 `step`，编码从 `-top` 到 `top`。写出 `my_noises(x, step, top)`，返回两个数：没有被截断的值贡献的颗粒噪声，被截断的值贡献的过载噪声（第 4 节在 $\pm c$ 处分开，早半步）。两个数都除以全部的个数，加起来就是总的噪声功率。

# %% slideshow={"slide_type": "skip"}
def my_noises(x, step, top):
    q = torch.round(x / step)
    return ...  # granular, overload

# %% slideshow={"slide_type": "skip"}
exercises.check("two-noises", my_noises)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_noises(x, step, top):
#     q = torch.round(x / step)
#     e = x - step * q.clamp(-top, top)
#     inside = q.abs() <= top
#     return (e.square() * inside).mean(), (e.square() * ~inside).mean()
# ```
#
# 是否被截断，看的是舍入以后、截断以前的编码。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 讨论
#
# **【思考】** 误差完全由信号决定，为什么还能叫噪声？抖动常使均方误差变大，为什么还有人加？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 讨论 5 分钟，各组举一个误差确实像噪声的例子和一个不像的例子。

# %% [markdown] slideshow={"slide_type": "skip"}
# 全课做到了哪里，运行下面的单元格就知道：

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 小结
#
# - $N$ 个 $b$ 位的编码紧密排列，占 $N\,b/8$ 字节。批大小为 1 时，字节数近似决定时间；速度要在目标机器上测量，伪量化测不出速度。
# - 误差在一个步长里均匀分布时，量化噪声功率是 $\sigma_q^2 = \Delta^2/12$。密度光滑、步长足够小、没有截断，是常用的充分条件。步长过大、信号落在网格点上、信号超出范围，都可能使它失效。
# - 不加抖动时，除非误差恒为常数，误差不会独立于信号。减性抖动使误差与任何信号独立，功率严格等于 $\Delta^2/12$。
# - 随机舍入对每个 $x$ 都无偏，代价是平均噪声功率为 $2 \cdot \Delta^2/12$。$N$ 个独立的误差相加，噪声按 $\sqrt N$ 增长，偏差按 $N$ 增长。
# - $\Delta^2/12$ 成立、截断可以忽略时，$\mathrm{SQNR} = 6.02\,b + 4.77 - 20\log_{10}\Gamma$ dB，其中 $\Gamma = A/\sigma$。占满范围的均匀分布是 $6.02\,b$ dB，满幅正弦多 1.76 dB，高斯取 $\Gamma = 4$ 时少 7.27 dB。
# - 位宽固定时，范围过小则过载噪声占主导，范围过大则步长过粗，颗粒噪声占主导。对高斯，最好的截断位置随位宽增大而外移，最小值到最大值通常不是它。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下一章：[率失真](01b_rate_distortion.ipynb)（★ 选读）。重建值不等距，或者编码长短不一，还能再好多少？也可以直接去[量化方案](02_schemes.ipynb)：有哪些整数可以用，4 位的数怎样放进字节。
