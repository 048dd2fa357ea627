# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # ★ 率失真：离极限还有多远
#
# **学完这一章，你能：**
#
# - 看懂一张率失真图，说出均匀量化离极限还有多远，剩下的差距从哪里来。
#
# | 部分 | 时间 |
# |:--|:--|
# | 1 最优量化器 | 45 分钟 |
# | 2 熵与率失真 | 45 分钟 |

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
# ## 1 最优量化器
#
# ### 两个条件
#
# 等距不是必须的。重建值 $y_1 < \dots < y_N$ 和它们之间的门限 $t_1 < \dots < t_{N-1}$ 都可以自由选（记 $t_0 = -\infty$，$t_N = \infty$），使
#
# $$
# D = \sum_{i=1}^{N} \int_{t_{i-1}}^{t_i} (x - y_i)^2\, p(x)\, \mathrm{d}x
# $$
#
# 最小。求导，令导数为零。对门限：
#
# $$
# \frac{\partial D}{\partial t_i} = \left[(t_i - y_i)^2 - (t_i - y_{i+1})^2\right] p(t_i) = 0
# \quad\Rightarrow\quad t_i = \frac{y_i + y_{i+1}}{2}
# $$
#
# 对重建值：
#
# $$
# \frac{\partial D}{\partial y_i} = -2\int_{t_{i-1}}^{t_i} (x - y_i)\, p(x)\, \mathrm{d}x = 0
# \quad\Rightarrow\quad y_i = \mathbb{E}[\,x \mid t_{i-1} < x \le t_i\,]
# $$
#
# 门限在两级正中，每级在自己那一格的质心。两个条件互相依赖，解不出公式，但可以轮流满足：每做一步，$D$ 都不会增加。这就是 **Lloyd–Max 算法** (Lloyd 1957/1982; Max 1960)。对样本做，它就是一维的 $k$ 均值聚类。
#
# 下一格从 8 个等距的值出发，在样本上做给你看，再和 `lloyd_max` 用高斯密度积分得到的结果对照。

# %%
y = torch.linspace(-4, 4, 8, dtype=torch.float64, device=device)
values = x[:200_000].double()
print("steps      MSE")
for i in range(101):
    cell = torch.bucketize(values, (y[1:] + y[:-1]) / 2)
    if i in (0, 1, 2, 5, 20, 100):
        print(f"{i:5} {power(values - y[cell]):8.4f}")
    y = torch.bincount(cell, values, minlength=8) / torch.bincount(cell, minlength=8)
print(f"lloyd_max(8) {lloyd_max(8, 'normal').mse:.4f}")

# %% [markdown]
# ### 1960 年的表
#
# Max 在 1960 年的论文里给出了高斯的两张表：最优的重建值，和最优的等距重建值。下一格的 `published` 是论文里的均方误差，`computed` 由 `quantcore` 算出。
#
# **先猜。** 非均匀比均匀好多少？$N$ 越大，差距越大还是越小？

# %%
published = {2: (0.3634, 0.3634), 4: (0.1175, 0.1188), 8: (0.0345, 0.0374)}
published |= {16: (0.0095, 0.0115), 32: (0.0025, 0.0035)}
print("        optimal                 optimal, even steps")
print(" N   published   computed      published   computed     dB between")
for n, (a, b) in published.items():
    free, even = lloyd_max(n, "normal").mse, optimal_uniform(n, "normal").mse
    between = abs(10 * math.log10(even / free))
    print(f"{n:2} {a:11.4f} {free:10.4f} {b:14.4f} {even:10.4f} {between:14.2f}")

# %%
lloyd, even = lloyd_max(8, "normal"), optimal_uniform(8, "normal")
t = torch.linspace(-3.5, 3.5, 281)
sheet = Sheet(panels=1, height=3.0)
sheet.frame(0, "8 levels for a Gaussian", "x / σ", "density", (-3.5, 3.5), (-0.16, 0.44))
sheet.line(0, "density", t, torch.exp(-(t**2) / 2) / (2 * torch.pi) ** 0.5)
sheet.points(0, "optimal", lloyd.levels, [-0.05] * 8, marker="o", markersize=6, color=RED)
sheet.points(0, "even steps", even.levels, [-0.11] * 8, marker="s", markersize=5, color=GREEN)
sheet.legend(0)
ends = f"outermost: optimal {lloyd.levels[-1]:.3f}, even {even.levels[-1]:.3f}"
sheet.show(f"8 levels under a Gaussian density, dense in the middle where optimal; {ends}")

# %% [markdown]
# 最优的重建值中间密、两边疏，把级数用在数据多的地方。NF4 这样的格式出自相近的想法，[量化方案](02_schemes.ipynb)一章会见到。代价是编码不再和数值成正比，不能直接用整数做乘法。所以硬件上最常用的还是等距。
#
# ### 最优的误差和信号相关
#
# **先猜。** 「误差和信号不相关」，对最优量化器成立吗？
#
# 质心条件说，每一格里 $\mathbb{E}[e] = 0$。而 $\hat x$ 在一格里是常数，所以
#
# $$
# \mathbb{E}[\hat x\, e] = 0, \qquad \mathbb{E}[x\,e] = \mathbb{E}[(\hat x + e)\,e] = \sigma_q^2
# $$
#
# 不成立，而且从不成立：$\mathbb{E}[x\,e] > 0$。和误差不相关的是输出 $\hat x$，不是输入 $x$。由此还有
#
# $$
# \mathbb{E}[\hat x^2] = \mathbb{E}[(x - e)\,\hat x] = \mathbb{E}[x\,\hat x] = \sigma^2 - \sigma_q^2
# $$
#
# 最优量化让信号的功率略微变小。

# %%
x_hat = round_to_levels(x, lloyd.levels.to(device))
e = x.double() - x_hat
for name, predicted, product in (
    ("E[x_hat e]", 0, x_hat * e),
    ("E[x e]", lloyd.mse, x.double() * e),
    ("E[x_hat^2]", 1 - lloyd.mse, x_hat**2),
):
    print(f"{name:10}   predicted {predicted:7.4f}   measured {product.mean().item():z7.4f}")

# %% [markdown]
# ### 中升与中平
#
# Max 的表里，$N = 8$ 的等距量化器，3 位的整数量化器怎么调步长都追不上。不是谁算错了，是格子摆放不同：
#
# - **中升**（mid-rise）：0 是门限，两边最近的重建值是 $\pm\Delta/2$。阶梯在 0 处正要升一级。没有一级等于 0。
# - **中平**（mid-tread）：0 是重建值，阶梯在 0 处是平的。
#
# 带零点的整数格 $\hat x = s\,(q - z)$ 里，$q = z$ 恰好给出 0，所以**总是中平**。偶数个级数以 0 为中心对称地等距排开，中间没有级，所以 **Max 的偶数 $N$ 是中升**。两者不可兼得：要 0，又要对称，级数就是奇数；8 个编码要么多出一个负的（$-4 \dots 3$），要么弃掉它，只用 7 个。
#
# **先猜。** 三种 3 位的方案，各取最好的步长，噪声从小到大怎样排？

# %%
def best_noise(qmin, qmax):
    steps = torch.linspace(0.4, 0.8, 81).tolist()
    trials = [QuantizationParams(torch.tensor(s), torch.tensor(0), qmin, qmax) for s in steps]
    return min(power(sample - UniformQuantizer(p)(sample)) for p in trials)


sample = x[:200_000]
print("grid                    exact   measured")
print(f"mid-rise, 8 levels  {optimal_uniform(8, 'normal').mse:9.4f}")
print(f"codes -4 ... 3      {'-':>9} {best_noise(-4, 3):10.4f}")
print(f"codes -3 ... 3      {optimal_uniform(7, 'normal').mse:9.4f} {best_noise(-3, 3):10.4f}")

# %% [markdown]
# 对高斯，中升最好。那为什么整数格要中平？因为神经网络里的 0 太多了：补边的 0、ReLU 的 0、剪枝的 0。
#
# **先算。** 数据里一半是 0，另一半是高斯，步长 $\Delta$ 很小。中平、中升的噪声功率各是 $\Delta^2/12$ 的几倍？
#
# <details><summary>想好了再看</summary>
#
# 中平：0 没有误差，另一半照旧，$\tfrac12 \cdot 1 = 0.5$ 倍。
#
# 中升：每个 0 都错 $\Delta/2$，功率 $\Delta^2/4$，是 3 倍。合起来 $\tfrac12 \cdot 3 + \tfrac12 \cdot 1 = 2$ 倍。
#
# </details>

# %%
step = 1 / 8
half = torch.where(torch.arange(len(x), device=device) % 2 == 0, x, 0)
print("data         predicted: tread, rise   measured: tread, rise   (times step^2/12)")
for name, y, tread, rise in (("normal", x, 1, 1), ("half zeros", half, 0.5, 2)):
    e_tread, e_rise = y - grid(step)(y), y - (grid(step)(y - step / 2) + step / 2)
    measured = [power(e) / noise_power(step) for e in (e_tread, e_rise)]
    print(f"{name:10} {tread:17.2f} {rise:6.2f} {measured[0]:16.2f} {measured[1]:6.2f}")

# %% [markdown]
# ## 2 熵与率失真
#
# ### 存了 8 位，需要几位
#
# 每个编码存成 $b$ 位，但编码并不是同样常见。设编码 $q$ 出现的概率是 $p_q$，**熵**（entropy）
#
# $$
# H = -\sum_q p_q \log_2 p_q \ \text{bit}
# $$
#
# 是平均每个编码至少需要的位数（独立同分布时；Shannon 1948）。常见的给短码，少见的给长码，就能接近它。均匀分布时 $H = b$，别的分布 $H < b$。
#
# 步长小时，一级的概率约为 $p(x)\,\Delta$。代入 $H$：
#
# $$
# H \approx -\int p(x) \log_2\!\left(p(x)\,\Delta\right) \mathrm{d}x = h - \log_2 \Delta,
# \qquad h = -\int p \log_2 p \, \mathrm{d}x
# $$
#
# $h$ 叫**微分熵**（differential entropy）。对高斯，$h = \tfrac12 \log_2(2\pi e\,\sigma^2)$。
#
# 霍夫曼码（Huffman code）是实际可用的编码，平均长度在 $H$ 和 $H + 1$ 之间。下一格的最后一列真的造了它：反复合并两个最少的，合并时的次数加起来就是总长度。
#
# **先猜。** 一百万个高斯数，用最小值到最大值作范围，量化到 8 位。每个编码真正需要几位？

# %%
def huffman_bits(codes):
    counts, total = codes.unique(return_counts=True)[1].tolist(), 0
    heapq.heapify(counts)
    while len(counts) > 1:
        pair = heapq.heappop(counts) + heapq.heappop(counts)
        heapq.heappush(counts, pair)
        total += pair
    return total / codes.numel()


def codes_of(y, b):
    params = QuantizationParams.from_tensor(y, QuantizationScheme.from_bits(b))
    return UniformQuantizer(params).quantize(y), params.scale.item()


# %%
h = 0.5 * math.log2(2 * math.pi * math.e)
print("stored b   H predicted   H measured   Huffman")
for b in (3, 4, 6, 8):
    codes, step = codes_of(x, b)
    print(f"{b:8} {h - math.log2(step):13.2f} {entropy(codes):12.2f} {huffman_bits(codes):9.2f}")

# %% [markdown]
# 8 位里有一部分是白存的。原因在范围：两头的编码几乎用不到。3 位时预言偏低，又是因为步长太粗。
#
# 真实的数据呢？照片、和弦、一个训练过的网络的权重，都存成 8 位：

# %%
network = samples.digits_network()
real = {"photograph": samples.photograph(), "chord": samples.chord()}
real |= {"conv weights": network[2].weight, "linear weights": network[5].weight}
print("data              stored   H measured   Huffman")
for name, y in real.items():
    codes, _ = codes_of(y, 8)
    print(f"{name:14} {8:9} {entropy(codes):12.2f} {huffman_bits(codes):9.2f}")

# %% [markdown]
# **问一问。** 照片的数值都在 $[0, 1]$，用有符号的对称量化存成 8 位。熵的上限还是 8 位吗？
#
# <details><summary>想好了再看</summary>
#
# 不是。数据没有负的，编码只用到 0 到 127，一共 128 个，熵最多 7 位。符号那一位白存了。该用无符号，或者非对称。
#
# </details>
#
# ### 极限在哪里
#
# 换一个问法。允许的均方误差是 $D$，每个数至少要几位？这是**率失真**（rate–distortion）理论的问题。不限制量化器的样子，可以很多个数一起编码。
#
# 对高斯，答案的下界两步就能得到。互信息（mutual information）$I(x; \hat x)$ 是 $\hat x$ 携带的关于 $x$ 的信息，码率不能比它小：
#
# $$
# R \ge I(x; \hat x) = h(x) - h(x \mid \hat x) = h(x) - h(e \mid \hat x) \ge h(x) - h(e)
# $$
#
# 功率不超过 $D$ 的分布里，高斯的微分熵最大，所以 $h(e) \le \tfrac12\log_2(2\pi e D)$：
#
# $$
# R \ge \tfrac12 \log_2(2\pi e\,\sigma^2) - \tfrac12 \log_2(2\pi e D) = \tfrac12 \log_2 \frac{\sigma^2}{D}
# $$
#
# 反过来写：
#
# $$
# D(R) = \sigma^2\, 2^{-2R}
# $$
#
# 这个下界可以任意接近 (Shannon 1959)。每多一位，$D$ 恰好减到四分之一，又是 6.02 dB。这一次它没有条件，是极限本身的斜率。
#
# ### 均匀量化加熵编码，差 1.53 dB
#
# 步长小时，均匀量化的 $D = \Delta^2/12$，码率是熵 $H = h - \log_2\Delta$。消去 $\Delta$：
#
# $$
# D = \frac{1}{12}\, 2^{2(h - H)} = \frac{2\pi e}{12}\, \sigma^2\, 2^{-2H} = \frac{\pi e}{6}\, D(H)
# $$
#
# 只比极限差一个常数：
#
# $$
# 10\log_{10}\frac{\pi e}{6} = 1.53 \ \text{dB}, \qquad \frac12\log_2\frac{\pi e}{6} = 0.2546 \ \text{bit}
# $$
#
# 第一个是同样的码率多出的噪声，第二个是同样的噪声多花的位数（文献里常写成 0.254）。
#
# 一个最简单的等距量化器，后面接上熵编码，离理论极限只差四分之一位。
#
# **先猜。** 步长再变细，这个差距会变成 0 吗？步长变粗，差距变大还是变小？

# %%
loss = math.pi * math.e / 6
variance = power(x)  # of this sample: close to 1
print("step/sigma   rate H        D   dB above the limit   bits above the limit")
steps = (1.0, 0.5, 0.25, 0.125, 0.0625)
coded = [(entropy(grid(s).quantize(x)), power(x - grid(s)(x))) for s in steps]
for s, (rate, d) in zip(steps, coded):
    decibel = 10 * math.log10(d / gaussian_distortion(rate, variance))
    print(f"{s:10} {rate:8.3f} {d:8.5f} {decibel:20.2f}", end="")
    print(f"{rate - math.log2(variance / d) / 2:23.3f}")
print(f"predicted {10 * math.log10(loss):39.2f} {math.log2(loss) / 2:22.3f}")

# %% [markdown]
# 差距停在 1.53 dB，不再缩小。（步长粗时还多一点，那是因为重建值放在格子正中，而不在质心。）它来自形状：一个一个地量化，许多个数合在一起看，误差落在一个高维的**立方体**里；同样的体积，**球**的均方误差更小，维数趋于无穷时正好小 1.53 dB (Gray & Neuhoff 1998)。要拿回它，只有把许多个数合起来做**矢量量化**（vector quantization）。
#
# ### 全部画在一张图上
#
# 横轴是码率，纵轴是噪声。左图是噪声本身，右图是比极限高几 dB。四样东西：
#
# - 极限 $D(R)$；
# - 最优的等距量化器，码率是 $b = \log_2 N$；
# - Lloyd–Max，码率也是 $b$；
# - 等距量化加熵编码，码率是 $H$。
#
# **先猜。** 三种量化器从好到坏怎样排？哪些差距随码率增大，哪些停住？

# %%
bits = range(1, 8)
even = [optimal_uniform(2**b, "normal").mse for b in bits]
free = [lloyd_max(2**b, "normal").mse for b in bits]
rates, noise = [rate for rate, _ in coded], [d / variance for _, d in coded]
curves = {"even steps": (bits, even), "Lloyd-Max": (bits, free), "even + entropy": (rates, noise)}
above = {  # dB above the limit
    name: [10 * math.log10(d / gaussian_distortion(r)) for r, d in zip(*curve)]
    for name, curve in curves.items()
}
print("b   even steps   Lloyd-Max   (dB above the limit)")
for b in bits:
    print(f"{b} {above['even steps'][b - 1]:12.2f} {above['Lloyd-Max'][b - 1]:11.2f}")

# %%
sheet = Sheet(panels=2, height=3.6)
limit = [gaussian_distortion(r) for r in range(9)]
sheet.frame(0, "rate and distortion", "bits per value", "D / σ²", (0, 8), (1e-5, 2), yscale="log")
sheet.frame(1, "how far from the limit", "bits per value", "dB above D(R)", (0, 8), (-0.3, 8))
sheet.line(0, "limit D(R)", range(9), limit, color=INK)
sheet.line(1, "limit D(R)", [0, 8], [0, 0], color=INK)
for (name, (r, d)), color in zip(curves.items(), (GREEN, RED, BLUE)):
    sheet.line(0, name, r, d, color=color, marker="o", markersize=4, linewidth=1)
    sheet.line(1, name, r, above[name], color=color, marker="o", markersize=4, linewidth=1)
sheet.line(1, "1.53 dB", [0, 8], [1.533] * 2, color=GRAY, linestyle="--", linewidth=1)
sheet.legend(1, ncols=3)
ends = ", ".join(f"{name} {v[-1]:.2f} dB" for name, v in above.items())
sheet.show(f"Rate-distortion of a Gaussian; at the highest rate, above the limit: {ends}")

# %% [markdown]
# 读图：
#
# - **等距、定长**：差距越来越大。高斯有长尾，等距的格子要么管尾巴，要么管中间。
# - **Lloyd–Max、定长**：差距停在 $10\log_{10}(\sqrt3\,\pi/2) = 4.35$ dB (Panter & Dite 1951)。它把级数摆到该摆的地方，但每个编码仍占一样多的位。
# - **等距、变长**：最好，停在 1.53 dB。不必费心摆放重建值，省位数的事交给熵编码。
#
# 验一下 4.35 dB。它是 $N \to \infty$ 的极限，图上最右边的点还差一点：

# %%
print(f"predicted, N to infinity {10 * math.log10(3**0.5 * math.pi / 2):6.2f} dB")
for b in (5, 6, 7):
    print(f"measured, b = {b} {above['Lloyd-Max'][b - 1]:16.2f} dB")

# %% [markdown]
# **问一问。** 既然「等距加熵编码」最好，为什么神经网络的权重很少这样存？
#
# <details><summary>想好了再看</summary>
#
# 变长的编码要从头一位一位地解，不能直接跳到第一万个权重，也很难并行。定长的编码一次读一批，位置一算就知道。省下来的位数，往往抵不过解码的时间。而且计算时编码还要变回定长的整数。
#
# 所以这里的几条线不是排名，是地图：它告诉你每一种简化付了多少。
#
# </details>

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
