# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # ★ 率失真：离极限还有多远
#
# 用 8 个量化级去量化一批高斯数据，级可以等距排开，也可以疏密不同；编码可以一律存成 3 位，也可以常见的短、少见的长。这些办法一个比一个好，可是能好到哪里为止？有没有一条线，不管量化器怎样设计，都越不过去？这一章我们先求出最好的量化器，再找到这条线，最后量一量各种量化器离它还有多远。
#
# 整章是选读（★）。它用到的数学比大学一年级的微积分和概率论多一点，多出来的部分都在这里推导。跳过这一章也能学后面的内容，只需记住三个结论：带零点的整数网格总是包含 0（中平型）；编码相互独立时，**熵**是无损存储平均每个编码所需比特数的下限；独立的高斯数据每个数用 $R$ 比特，噪声功率不可能小于 $\sigma^2\,2^{-2R}$。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 这一章讲给学过微积分和概率的班。开场问：8 个级，等距好还是不等距好？好多少？

# %% [markdown] slideshow={"slide_type": "subslide"}
# **学完这一章，你能：**
#
# - 推导 Lloyd–Max 量化器的两个必要条件，说出它们何时也是充分的，并举一个停在局部最小的例子；
# - 解释带零点的整数网格为什么是中平型，高斯的最优等距量化器在级的个数为偶数时为什么是中升型；
# - 从“概率为 $p$ 的符号该用 $-\log_2 p$ 比特”出发导出熵，先手工、再用代码构造霍夫曼码；
# - 推导高斯率失真函数的下界，说出每个不等号的理由；
# - 看懂一张率失真图，说出 1.53 dB 和 4.35 dB 各从哪里来。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 部分 | 时间 |
# |:--|:--|
# | 1 最优量化器 | 30 分钟 |
# | 2 熵 | 30 分钟 |
# | 3 率失真 | 25 分钟 |
# | 练习 | 25 分钟 |
# | 小结 | 5 分钟 |
#
# 进一步的阅读：量化的综述（[Gray & Neuhoff，1998](references.ipynb)），信息论的教科书（[Cover & Thomas，2006](references.ipynb)）。

# %% slideshow={"slide_type": "skip"}
import heapq
import math
from itertools import product

import torch

from quantcore import QuantizationParams, UniformQuantizer
from quantcore import entropy, exercises, explore, gaussian_distortion, lloyd_max, noise_power
from quantcore import optimal_uniform, samples
from quantcore.quantizer import fit
from quantcore.schemes import round_to_levels
from quantcore.sheet import BLUE, GRAY, GREEN, INK, PURPLE, RED, Sheet

device = "cuda" if torch.cuda.is_available() else "cpu"

# %% slideshow={"slide_type": "skip"}
explore.set_language("zh")

# %% [markdown] slideshow={"slide_type": "skip"}
# 全章的高斯数据是同一批：`x` 是一百万个数，均值 0，标准差 1；`sample` 是其中的前 200,000 个。`power` 求均方，`fit` 从数据造一个整数量化器，`density` 和 `below` 是标准高斯的密度函数和分布函数，`decibel` 把功率之比换成分贝。

# %% slideshow={"slide_type": "skip"}
x = samples.distribution("normal", 10**6).to(device)
sample = x[:200_000].double()
below = torch.special.ndtr


def power(e):
    return e.double().square().mean().item()


def decibel(ratio):
    return 10 * math.log10(ratio)


# %% slideshow={"slide_type": "skip"}
def density(t):
    return torch.exp(-(t**2) / 2) / math.sqrt(2 * math.pi)


# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 最优量化器
#
# ### 两个必要条件
#
# 上一章的量化器都是等距的，但等距不是必须的。$L$ 个**重建值**（reconstruction level）$y_1 < \dots < y_L$ 可以自由选，把数轴分成量化区间（cell）的**门限**（threshold）$t_1 < \dots < t_{L-1}$ 也可以自由选（记 $t_0 = -\infty$，$t_L = \infty$）。设 $x$ 的密度是 $f(x)$，噪声功率就是
#
# $$
# D = \sum_{i=1}^{L} \int_{t_{i-1}}^{t_i} (x - y_i)^2 f(x)\, \mathrm{d}x
# $$

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 固定一半求另一半，是整章的思路，也是 k 均值的思路。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 怎样选，$D$ 最小？我们轮流固定一半，求另一半。
#
# 先固定门限，求重建值。$y_i$ 只出现在第 $i$ 个积分里，把平方展开：
#
# $$
# \int (x - y_i)^2 f\, \mathrm{d}x = \int x^2 f\, \mathrm{d}x - 2 y_i \int x f\, \mathrm{d}x + y_i^2 \int f\, \mathrm{d}x
# $$

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生求导；记得指出门限处的被积函数连续，所以对积分限求导得到的两项互相抵消。

# %% [markdown] slideshow={"slide_type": "notes"}
# 右边的三个积分都在第 $i$ 个区间上，都不含 $y_i$，所以左边是 $y_i$ 的二次函数，最小值在 $y_i = \int x f\,\mathrm{d}x \big/ \int f\,\mathrm{d}x$，也就是 $x$ 在这个区间里的条件均值。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 再固定重建值，求门限。$t_i$ 既是第 $i$ 个积分的上限，又是第 $i + 1$ 个积分的下限。根据微积分基本定理，积分对上限求导，等于被积函数在上限处的值；对下限求导，要多一个负号。于是
#
# $$
# \frac{\partial D}{\partial t_i} = \left[(t_i - y_i)^2 - (t_i - y_{i+1})^2\right] f(t_i) = 0
# $$
#
# 只要 $f(t_i) > 0$，$t_i$ 到两个相邻重建值的距离就必须相等。合起来，最优的量化器满足
#
# $$
# t_i = \frac{y_i + y_{i+1}}{2}, \qquad y_i = \mathbb{E}[\,x \mid t_{i-1} < x \le t_i\,]
# $$
#
# 〔[N11](06_summary.ipynb#公式总表)〕

# %% [markdown]
# 门限位于相邻两个重建值的正中，每个重建值位于所在区间的质心（centroid）。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 高斯，$\sigma = 1$，$L = 2$。由对称性，门限是 0。两个重建值是多少？噪声功率是多少？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先猜再算：1 倍标准差、0.8 倍，还是 0.67 倍？

# %%
exercises.predict("two-levels")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $y_2 = \mathbb{E}[x \mid x > 0] = 2\int_0^\infty x f(x)\,\mathrm{d}x = 2f(0) = \sqrt{2/\pi} \approx 0.798$，$y_1 = -y_2$。
#
# 噪声功率是 $\mathbb{E}[x^2] - y_2^2 = 1 - 2/\pi \approx 0.3634$。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# 对更大的 $L$，两个条件互相依赖，一般没有公式解，但可以轮流满足：由重建值算门限，由门限算重建值，再算门限……每一步都是固定一半、把另一半取到最好，所以 $D$ 不会增加。这就是 **Lloyd–Max 算法**（[Lloyd，1982；Max，1960](references.ipynb)）。
#
# 手里只有样本时，条件均值换成区间里样本的平均。这样的一步可以写成四行：

# %% slideshow={"slide_type": "skip"}
def lloyd_step(y, values):
    """Thresholds midway between the levels y, then every level to the mean of its cell."""
    cell = torch.bucketize(values, (y[1:] + y[:-1]) / 2)  # 0 … L - 1: the nearest level
    count = torch.bincount(cell, minlength=len(y))
    total = torch.bincount(cell, values, minlength=len(y))
    return torch.where(count > 0, total / count, y)  # an empty cell keeps its level


# %% [markdown] slideshow={"slide_type": "skip"}
# 从 8 个等距的值出发走一百步，再和 `lloyd_max` 对照。`lloyd_max` 用的不是样本，而是高斯密度的积分。

# %% slideshow={"slide_type": "skip"}
y = torch.linspace(-4, 4, 8, dtype=torch.float64, device=device)
print("steps      MSE")
for i in range(101):
    if i in (0, 1, 2, 5, 20, 100):
        print(f"{i:5} {power(sample - round_to_levels(sample, y)):8.4f}")
    y = lloyd_step(y, sample)
best = lloyd_max(8, "normal")
print(f"lloyd_max(8, 'normal')   {best.mse:.4f}")
print(f"largest difference of a level {(y.cpu() - best.levels).abs().max().item():.3f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# 噪声一路下降，停在和 `lloyd_max` 相同的地方（重建值的差别来自抽样）。
#
# 用在样本上，这个算法就是一维的 **$k$ 均值聚类**（k-means clustering）。它把数据分成 $k$ 群，反复做两件事：每个数归到最近的中心，每个中心移到它那一群的平均值。这里 $k = L$，中心就是重建值。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 必要，不一定充分
#
# 推导用的是“导数为零”，所以两个条件是必要的：最优的量化器一定满足它们。反过来呢？
#
# **【预测】** 数据分成三簇，各在 $-5$、$0$、$5$ 附近，用 3 级量化。一次从 $(-5, 0, 5)$ 出发，一次从 $(-5.2, -4.8, 3)$ 出发，各走 200 步。两次的结果一样吗？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 问：两个起点会走到同一处吗？多数人答会。

# %%
exercises.predict("lloyd-starts")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
clusters = torch.tensor([-5.0, 0.0, 5.0]).repeat_interleave(10_000).double()
clusters += 0.3 * samples.distribution("normal", 30_000).double()
print("start                levels after 200 steps       MSE   moved by one more step")
for start in ([-5.0, 0.0, 5.0], [-5.2, -4.8, 3.0]):
    y = torch.tensor(start, dtype=torch.float64)
    for _ in range(200):
        y = lloyd_step(y, clusters)
    mse, moved = power(clusters - round_to_levels(clusters, y)), lloyd_step(y, clusters) - y
    reached = " ".join(f"{v:z6.2f}" for v in y.tolist())
    print(f"{str(start):20} {reached} {mse:12.3f} {moved.abs().max().item():24.4f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 第二次停住的地方，两个条件都满足（再走一步也不动），噪声却大几十倍：两个重建值挤在一簇里，剩下的一个夹在另外两簇中间。这是**局部最小**（local minimum）。

# %% [markdown] slideshow={"slide_type": "skip"}
# 什么时候不必担心？如果 $\log f(x)$ 是凹函数，满足两个条件的量化器只有一个，它就是最优的（[Fleischer，1964；Trushkin，1982](references.ipynb)）。高斯、拉普拉斯、均匀分布都属于这种情形。样本没有这个保证，结果依赖起点，所以 $k$ 均值通常要多试几个起点；`lloyd_max` 对样本试两个起点，取较好的一个。

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 1960 年的表
#
# Max 在 1960 年的论文里给出了高斯的两张表：最优的重建值，和最优的等距重建值。下一个单元格里，`published` 是论文里的均方误差，`computed` 由 `quantcore` 算出。
#
# 不等距比等距好多少分贝？$L$ 越大，差距越大还是越小？请看最后一列。

# %% slideshow={"slide_type": "fragment"}
published = {2: (0.3634, 0.3634), 4: (0.1175, 0.1188), 8: (0.0345, 0.0374)}
published |= {16: (0.0095, 0.0115), 32: (0.0025, 0.0035)}
print("        optimal                 optimal, even steps")
print(" L   published   computed      published   computed     dB between")
for levels, (a, b) in published.items():
    free, even = lloyd_max(levels, "normal").mse, optimal_uniform(levels, "normal").mse
    print(f"{levels:2} {a:11.4f} {free:10.4f} {b:14.4f} {even:10.4f}", end="")
    print(f"{abs(decibel(even / free)):15.2f}")

# %% tags=["fold"] slideshow={"slide_type": "subslide"}
even_8, t = optimal_uniform(8, "normal"), torch.linspace(-3.5, 3.5, 281)
sheet = Sheet(panels=1, height=3.0)
sheet.frame(0, "8 levels for a Gaussian", "x / σ", "density", (-3.5, 3.5), (-0.16, 0.44))
sheet.line(0, "density", t, density(t))
sheet.points(0, "optimal", best.levels, [-0.05] * 8, marker="o", markersize=6, color=RED)
sheet.points(0, "even steps", even_8.levels, [-0.11] * 8, marker="s", markersize=5, color=GREEN)
sheet.legend(0)
outermost = {"free": f"{best.levels[-1]:.3f}", "even": f"{even_8.levels[-1]:.3f}"}
sheet.show("01b_rate_distortion-levels", **outermost)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 看右端：等距的最外一级比最优的更靠里，为什么？

# %% [markdown] slideshow={"slide_type": "notes"}
# 级越多，差距越大，32 级时是 1.45 dB。最优的重建值中间密、两边疏，集中在数据多的地方。代价是编码和数值不再成比例：等距时 $\hat x = s\,(q - z)$，$q - z$ 可以直接拿去做整数乘法；不等距时要先查表换回数值。整数乘法器只支持等距的网格。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 最优的误差和信号相关
#
# 常见的说法是“误差和信号不相关”。对最优量化器，这句话成立吗？
#
# 质心条件说，误差 $e = x - \hat x$ 在每个区间里的均值都是 0。而 $\hat x$ 在一个区间里是常数，所以
#
# $$
# \mathbb{E}[\hat x\, e] = 0, \qquad \mathbb{E}[x\,e] = \mathbb{E}[(\hat x + e)\,e] = \sigma_q^2
# $$
#
# 〔[N12](06_summary.ipynb#公式总表)〕

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 这句话在教科书里常见。请学生用质心条件推出相反的结论。

# %% [markdown]
# 这句话不成立：只要 $\sigma_q^2 > 0$，就有 $\mathbb{E}[x\,e] > 0$。和误差不相关的是输出 $\hat x$，不是输入 $x$。由此还有 $\mathbb{E}[\hat x^2] = \mathbb{E}[x\,\hat x] = \mathbb{E}[x^2] - \sigma_q^2$，也就是说，最优量化器输出的功率比输入小。

# %% [markdown] slideshow={"slide_type": "notes"}
# 验证时要留心：最好的**等距**量化器也满足 $\mathbb{E}[\hat x\,e] = 0$（步长取到最好时，误差和 $\hat x$ 正交），但它不满足质心条件。能把两者分开的，是每个区间里误差的均值。

# %% slideshow={"slide_type": "fragment"}
both = {"optimal": best, "even steps": even_8}
print("levels       E[x_hat e]   E[x e]      MSE   E[x_hat^2]   1 - MSE   largest mean of a cell")
for name, quantizer in both.items():
    x_hat = round_to_levels(x, quantizer.levels.to(device))
    e, cell = x.double() - x_hat, torch.bucketize(x.double(), quantizer.thresholds.to(device))
    means = torch.bincount(cell, e) / torch.bincount(cell)
    products = (x_hat * e).mean().item(), (x.double() * e).mean().item()
    print(f"{name:10} {products[0]:z12.4f} {products[1]:8.4f} {quantizer.mse:8.4f}", end="")
    print(f"{power(x_hat):13.4f} {1 - quantizer.mse:9.4f} {means.abs().max().item():24.4f}")

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 中升与中平
#
# Max 的表里有 $L = 8$ 的等距量化器，3 位的整数量化器也有 8 个等距的级。两者的差别在于网格相对于 0 的位置：
#
# - **中升型**（mid-rise）：0 是门限，两边最近的重建值是 $\pm\Delta/2$。画成阶梯，曲线在 0 处正好升一级。没有一个重建值等于 0。
# - **中平型**（mid-tread）：0 是重建值，阶梯在 0 处是平的。

# %% [markdown] slideshow={"slide_type": "notes"}
# 整数量化器的重建值是 $\hat x = s\,(q - z)$。[**零点**](glossary.ipynb#量化参数)（zero point）$z$ 本身是一个编码，令 $q = z$ 就得到 $\hat x = 0$，所以**零点是整数编码时，网格总是中平型**。另一方面，偶数个重建值若以 0 为中心对称地等距排开，正中间没有重建值，所以**级的个数为偶数的对称等距网格是中升型**，Max 的表就是这样。二者不可兼得：既要包含 0 又要左右对称，级的个数必为奇数。8 个编码要么多出一个负的（$-4 \dots 3$），要么弃掉它，只用 7 个。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 三种 3 位的网格，各取最好的步长，对高斯数据的噪声从小到大怎样排？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生数级：8、8、7。答案揭晓后再问，整数为什么偏要中平型。

# %%
exercises.predict("three-grids")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
def best_noise(qmin, qmax):
    steps = torch.linspace(0.4, 0.8, 81).tolist()
    trials = [QuantizationParams(torch.tensor(s), torch.tensor(0), qmin, qmax) for s in steps]
    return min(power(sample - UniformQuantizer(p)(sample)) for p in trials)


print("grid                    exact   measured")
print(f"mid-rise, 8 levels  {optimal_uniform(8, 'normal').mse:9.4f}")
print(f"codes -4 ... 3      {'-':>9} {best_noise(-4, 3):10.4f}")
print(f"codes -3 ... 3      {optimal_uniform(7, 'normal').mse:9.4f} {best_noise(-3, 3):10.4f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 对高斯数据，中升型最好。那么整数网格为什么偏要中平型？因为神经网络里恰好等于 0 的数太多了：**填充**（padding，在图像四周补上的 0）、ReLU 把负数变成的 0、**剪枝**（pruning，把不重要的权重直接置 0）。

# %% [markdown] slideshow={"slide_type": "skip"}
# **【计算】** 数据里一半是 0，另一半是高斯，步长 $\Delta$ 很小。中平型和中升型的噪声功率各是 $\Delta^2/12$ 的几倍？

# %% slideshow={"slide_type": "skip"}
exercises.predict("half-zeros")

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# 中平型：0 没有误差，另一半数据的噪声是 1 倍，合起来 $\tfrac12 \cdot 0 + \tfrac12 \cdot 1 = 0.5$ 倍。
#
# 中升型：每个 0 的误差都是 $\Delta/2$，功率 $\Delta^2/4$，是 $\Delta^2/12$ 的 3 倍。合起来 $\tfrac12 \cdot 3 + \tfrac12 \cdot 1 = 2$ 倍。
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "skip"}
step = 1 / 8
half_zeros = torch.where(torch.arange(len(x), device=device) % 2 == 0, x, 0)
print("data         predicted: tread, rise   measured: tread, rise   (times step^2/12)")
for name, v, tread, rise in (("normal", x, 1, 1), ("half zeros", half_zeros, 0.5, 2)):
    e_tread = v - step * (v / step).round()  # levels at ... -1, 0, 1 ... steps
    e_rise = v - step * ((v / step).floor() + 0.5)  # levels at ... -1/2, 1/2 ... steps
    measured = [power(e) / noise_power(step) for e in (e_tread, e_rise)]
    print(f"{name:10} {tread:17.2f} {rise:6.2f} {measured[0]:16.2f} {measured[1]:6.2f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 重建值该摆多密
#
# 级很多时，最优的疏密有一个公式。设 $L$ 个重建值的**点密度**（point density）是 $\lambda(x)$：长为 $\mathrm{d}x$ 的一小段里有 $L\,\lambda(x)\,\mathrm{d}x$ 个重建值，$\int\lambda\,\mathrm{d}x = 1$。$x$ 附近的步长就是 $1/(L\lambda(x))$，那里的噪声是步长的平方除以 12，所以
#
# $$
# D \approx \int \frac{f(x)}{12\,L^2 \lambda(x)^2}\, \mathrm{d}x
# $$

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 三分之一次方令人意外。问：为什么不正比于密度本身？

# %% [markdown]
# 在 $\int\lambda\,\mathrm{d}x = 1$ 的约束下求最小。用拉格朗日乘数法，对每一点的 $\lambda$ 求导，$f/\lambda^3$ 必须是常数，所以 $\lambda(x)$ 正比于 $f(x)^{1/3}$。代回去：
#
# $$
# D \approx \frac{1}{12\,L^2} \left(\int f(x)^{1/3}\, \mathrm{d}x\right)^{3}
# $$
#
# 〔[N19](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 这是 Panter 和 Dite 的公式（[Panter & Dite，1951](references.ipynb)），条件是密度光滑、$L$ 足够大。对高斯，$f^{1/3}$ 仍是高斯的形状，标准差放大到 $\sqrt3\,\sigma$，积分得 $\sqrt3\,(2\pi\sigma^2)^{1/3}$，立方后代入：

# %% [markdown] slideshow={"slide_type": "skip"}
# $$
# D \approx \frac{\sqrt3\,\pi}{2} \cdot \frac{\sigma^2}{L^2}
# $$
#
# 换算成分贝，$10\log_{10}(\sqrt3\,\pi/2) = 4.35$ dB。这个数到第 3 节还会用到。

# %% [markdown] slideshow={"slide_type": "notes"}
# **【思考】** 如果让 $\lambda(x) = f(x)$，每个重建值被用到的机会相等。随着 $L$ 增大，这样摆的噪声和按 $f^{1/3}$ 摆的相比会怎样？

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print(" L   Lloyd-Max   density f^(1/3)   density f   (MSE times L^2)")
for levels in (8, 16, 32, 64, 128):
    share = (torch.arange(levels, dtype=torch.float64, device=device) + 0.5) / levels
    place = torch.special.ndtri(share)  # below it lies that share of a Gaussian
    third, same = round_to_levels(sample, 3**0.5 * place), round_to_levels(sample, place)
    errors = lloyd_max(levels, "normal").mse, power(sample - third), power(sample - same)
    print(f"{levels:3} {errors[0] * levels**2:10.3f} {errors[1] * levels**2:17.3f}", end="")
    print(f"{errors[2] * levels**2:12.3f}")
print(f"predicted, L to infinity: {3**0.5 * math.pi / 2:.3f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 第一列趋近预测值，第二列也趋近它：级很多时，按 $f^{1/3}$ 摆几乎就是最优。第三列一直增大，因为按 $f$ 摆时，尾部的重建值太稀。“每个编码用得一样多”和“均方误差最小”是两个不同的目标；NF4 格式出自前一个目标，[量化方案](02_schemes.ipynb)一章会用到这里的结论。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 熵
#
# ### 从四个符号开始
#
# 量化的编码怎样存最省？先看一个小例子。四个符号 A、B、C、D，出现的概率是 $\tfrac12$、$\tfrac14$、$\tfrac18$、$\tfrac18$。一律用 2 比特存，平均每个符号 2 比特。能不能更少？
#
# 让常见的短，少见的长：A 写成 0，B 写成 10，C 写成 110，D 写成 111。没有一个码字（code word）是另一个码字的开头，这叫**前缀码**（prefix code），所以连着写也不需要分隔符。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 收到 `0100111`，原来是哪几个符号？平均每个符号用几比特？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请一人念出解码过程，听到哪一位才知道是哪个字母？

# %%
exercises.predict("mean-length")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 从左往右，一凑成码字就断开：`0`、`10`、`0`、`111`，是 A、B、A、D。
#
# 平均长度是 $\tfrac12 \cdot 1 + \tfrac14 \cdot 2 + \tfrac18 \cdot 3 + \tfrac18 \cdot 3 = 1.75$ 比特。
#
# </details>

# %% slideshow={"slide_type": "skip"}
words = {"A": "0", "B": "10", "C": "110", "D": "111"}
p = {"A": 1 / 2, "B": 1 / 4, "C": 1 / 8, "D": 1 / 8}

# %% tags=["fold"] slideshow={"slide_type": "subslide"}
def center(word):
    return sum(int(bit) / 2 ** (k + 1) for k, bit in enumerate(word)) + 0.5 ** (len(word) + 1)


sheet = Sheet(panels=1, height=3.6)
sheet.frame(0, "code tree", "share of all bit strings", "bits read", (0, 1), (4.4, -0.2))
sheet.axes[0].set_yticks(range(4))
for symbol, word in words.items():
    at, half = [center(word[:k]) for k in range(len(word) + 1)], 0.5 ** (len(word) + 1) - 0.004
    sheet.line(0, symbol, at, range(len(at)), color=BLUE, marker="o", markersize=4)
    sheet.line(0, f"{symbol} share", [at[-1] - half, at[-1] + half], [4.0] * 2, color=RED)
    sheet.restyle(0, f"{symbol} share", linewidth=9)
    sheet.text(0, f"{symbol} word", at[-1], len(word) + 0.42, f"{symbol} = {word}", ha="center")
shares = ", ".join(f"{s} = {w}: {2.0 ** -len(w)}" for s, w in words.items())
sheet.show("01b_rate_distortion-tree", shares=shares)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 用份额讲：一个一位的码字占去一半的码字空间。

# %% [markdown] slideshow={"slide_type": "notes"}
# 在图里从上往下读码字：往左走是 0，往右走是 1。下面的红条是每个码字占的份额：所有的 0–1 串里，以 0 开头的占一半，以 10 开头的占四分之一。长为 $\ell$ 的码字占 $2^{-\ell}$。前缀码各个码字（长度 $\ell_q$）的份额不重叠，所以份额之和不超过 1，即 $\sum_q 2^{-\ell_q} \le 1$（Kraft 不等式）。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 份额于是成了一笔预算：码字要短，就要多占份额。份额该怎样分？按概率分最自然，$2^{-\ell_q} = p_q$，即
#
# $$
# \ell_q = -\log_2 p_q
# $$
#
# 这就是“概率为 $p$ 的符号该用 $-\log_2 p$ 比特”的来历。照这样分，平均长度是
#
# $$
# H = -\sum_q p_q \log_2 p_q
# $$
#
# 〔[N13](06_summary.ipynb#公式总表)〕

# %% [markdown]
# $H$ 叫[**熵**](glossary.ipynb#信息论)（entropy），单位是比特（[Shannon，1948](references.ipynb)）。信息量用“比特”，存储用“位”，以后我们这样区分。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 有没有更好的分法？没有。设另一种码的长度是 $\ell_q$，份额是 $r_q = 2^{-\ell_q}$。$\log_2$ 是凹函数，由 Jensen 不等式（凹函数的平均不超过平均的函数值），
#
# $$
# H - \sum_q p_q \ell_q = \sum_q p_q \log_2 \frac{r_q}{p_q} \le \log_2 \sum_q r_q \le 0
# $$

# %% [markdown]
# 所以任何前缀码的平均长度都不小于 $H$。差额 $\sum_q p_q \log_2 (p_q/r_q)$ 叫 **KL 散度**（Kullback–Leibler divergence）$D_{\mathrm{KL}}$：实际的概率是 $p_q$，码却按 $r_q$ 设计，平均多花这么多比特。

# %% [markdown] slideshow={"slide_type": "notes"}
# 上式还说明，$\sum_q p_q \log_2 (r_q/p_q) \le 0$ 对任何两组概率都成立，换成密度和积分也成立。请记住这个不等式，第 3 节的下界全靠它。

# %% [markdown] slideshow={"slide_type": "skip"}
# $b$ 位的编码至多有 $2^b$ 种，都取 $r_q = 2^{-b}$ 就是定长码，所以 $H \le b$，等号只在所有编码同样常见时成立。

# %% slideshow={"slide_type": "skip"}
H = -sum(v * math.log2(v) for v in p.values())
message = "AABACADB"  # as often as p says
bits = "".join(words[symbol] for symbol in message)
found, rest = "", bits
while rest:
    symbol = next(s for s, word in words.items() if rest.startswith(word))
    found, rest = found + symbol, rest[len(words[symbol]) :]
print("mean length predicted", sum(p[s] * len(w) for s, w in words.items()), "bits")
print("mean length measured ", len(bits) / len(message), "bits:", bits)
print("decoded", found, found == message)
print("entropy H", H, "  quantcore", entropy(torch.tensor(["ABCD".index(s) for s in message])))

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 霍夫曼码
#
# 概率不全是 2 的负整数次幂时，$-\log_2 p_q$ 不全是整数，码字却必须是整数长。整数长度里最好的，是**霍夫曼码**（Huffman code，[Huffman，1952](references.ipynb)）：从各个符号开始，反复把概率最小的两个结点合并成一个，直到只剩一个。每合并一次，下面所有的符号都多一比特，所以平均长度正好多出合并后的概率。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先让学生自己设计一种码，再比谁的平均长度短。

# %% [markdown] slideshow={"slide_type": "notes"}
# 前面的例子：合并 C 和 D，得 $\tfrac14$；再和 B 合并，得 $\tfrac12$；再和 A 合并，得 1。平均长度是 $\tfrac14 + \tfrac12 + 1 = 1.75$，和上面一样。

# %% [markdown]
# **【计算】** 四个符号的概率是 0.4、0.3、0.2、0.1。手工构造一个霍夫曼码，各个码字多长？平均多长？

# %%
exercises.predict("huffman-mean")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $0.1 + 0.2 = 0.3$；两个 0.3 合并，得 0.6；再和 0.4 合并，得 1。平均长度 $0.3 + 0.6 + 1 = 1.9$ 比特，长度依次是 1、2、3、3。
#
# 熵是 1.846 比特。霍夫曼码比它多一点，因为长度只能是整数。
#
# </details>

# %% slideshow={"slide_type": "skip"}
def huffman_lengths(counts):
    """The length in bits of each symbol's code word; counts: how often each occurs."""
    lengths = [0] * len(counts)
    heap = [(count, [symbol]) for symbol, count in enumerate(counts)]
    heapq.heapify(heap)
    while len(heap) > 1:
        (a, left), (b, right) = heapq.heappop(heap), heapq.heappop(heap)  # the two rarest
        for symbol in left + right:
            lengths[symbol] += 1  # one more branch above it
        heapq.heappush(heap, (a + b, left + right))
    return lengths


# %% slideshow={"slide_type": "fragment"}
def huffman_mean(codes):
    """The mean length in bits of a Huffman code made for these codes."""
    counts = codes.unique(return_counts=True)[1].tolist()
    return sum(c * n for c, n in zip(counts, huffman_lengths(counts))) / sum(counts)


for counts in ([4, 2, 1, 1], [4, 3, 2, 1]):
    codes = torch.arange(4).repeat_interleave(torch.tensor(counts))
    print(counts, "lengths", huffman_lengths(counts), end="")
    print(f"   mean {huffman_mean(codes):.3f}   entropy {entropy(codes):.3f} bits")

# %% [markdown] slideshow={"slide_type": "skip"}
# 把 $-\log_2 p_q$ 向上取整，份额之和不超过 1。从大到小依次把份额分出去，就得到一个前缀码，平均长度小于 $H + 1$。霍夫曼码不会比它差：
#
# $$
# H \le \sum_q p_q \ell_q < H + 1
# $$
#
# 〔[N20](06_summary.ipynb#公式总表)〕
#
# 多出的不到 1 比特，在 $H$ 很小时却是大数目：只要符号不止一种，每个码字至少 1 比特。
#
# 看一个极端的例子：三值权重 $-1$、$0$、$1$，九成是 0，$-1$ 和 $1$ 各占 5%。我们把相邻的几个权重合成一个大符号，看平均每个权重用几比特。

# %% slideshow={"slide_type": "skip"}
ternary = {-1: 0.05, 0: 0.9, 1: 0.05}
print(f"entropy {-sum(v * math.log2(v) for v in ternary.values()):.3f} bits per weight")
for block in (1, 2, 4, 6):
    chances = [math.prod(ternary[v] for v in word) for word in product(ternary, repeat=block)]
    lengths = huffman_lengths(chances)
    mean = sum(p * n for p, n in zip(chances, lengths)) / block
    print(f"Huffman, {block} at a time: {len(lengths):3} symbols, {mean:.3f} bits per weight")

# %% [markdown] slideshow={"slide_type": "notes"}
# 几个数**联合编码**，取整的损失由几个数分摊，平均长度趋近 $H$。实用的算术编码和 ANS（非对称数字系统）不必列出所有的大符号，也能接近 $H$。

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 存了 8 位，需要几比特
#
# 回到量化。步长小时，编码 $q$ 的概率约为 $f(x)\,\Delta$，其中 $x = q\Delta$。代入 $H$，求和变成积分：
#
# $$
# H \approx -\int f(x) \log_2\!\left(f(x)\,\Delta\right) \mathrm{d}x = h - \log_2 \Delta,
# \qquad h = -\int f \log_2 f \, \mathrm{d}x
# $$
#
# 〔[N14](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# $h$ 叫**微分熵**（differential entropy）。对高斯，$-\log_2 f(x) = \tfrac12\log_2(2\pi\sigma^2) + \tfrac{x^2}{2\sigma^2}\log_2\mathrm{e}$，而 $\mathbb{E}[x^2] = \sigma^2$，所以

# %% [markdown]
# $$
# h_{\mathrm G}(\sigma^2) = \tfrac12 \log_2\!\left(2\pi\mathrm{e}\,\sigma^2\right)
# $$

# %% [markdown] slideshow={"slide_type": "skip"}
# 正体的 $\mathrm{e} = 2.718\dots$ 是自然常数，斜体的 $e$ 始终是误差。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 一百万个高斯数，用最小值到最大值作范围，量化到 8 位。每个编码真正需要几比特？改用均方误差最小的范围（`mse`）呢？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 存了 8 位，真正需要几位？让学生写一个数，再揭晓。

# %%
exercises.predict("needed-bits")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
h_normal = 0.5 * math.log2(2 * math.pi * math.e)
print("stored b   range    max|x_hat|   H predicted   H measured   Huffman")
for b, method in ((3, "minmax"), (4, "minmax"), (6, "minmax"), (8, "minmax"), (8, "mse")):
    quantizer = fit(x, b, method=method)
    codes, step = quantizer.quantize(x), quantizer.params.scale.item()
    end = (2 ** (b - 1) - 1) * step
    print(f"{b:8}   {method:6} {end:12.2f} {h_normal - math.log2(step):13.2f}", end="")
    print(f"{entropy(codes):13.2f} {huffman_mean(codes):9.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 8 位里有一比特多是白存的。范围太宽只是一小部分原因：换成误差最小的范围，$H$ 只增加 0.29。主要的原因是分布：范围必须盖住尾部，而尾部的编码很少用到，各个编码远不是同样常见。（3 位时预测偏低，那是步长太粗，近似不成立。）

# %% [markdown] slideshow={"slide_type": "skip"}
# 五种分布的编码各是什么样？下图左边是每个编码出现的概率，右边是它的理想码长 $-\log_2 p_q$。左图的虚线是各个编码同样常见时的概率；右图的虚线是存储的 $b$ 位，红线是平均码长 $H$。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【操作】** 位宽固定为 4，换五种分布。哪一种的 $H$ 离 $b$ 最近，哪一种最远？对“ReLU 的输出”取消“对称”，$H$ 和 SQNR 怎样变？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 换分布之前先问：哪一种的直方图最平，哪一种省得最多？

# %%
explore.rate(bits=4, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 均匀分布最近：对称网格有一个编码不用，两端的两个编码只有其余的一半常见。有离群值时最远：范围由离群值决定，绝大部分数据挤在一个编码上，$H$ 接近 0。
#
# ReLU 的输出没有负数，对称的有符号网格一半编码不用，熵最多 $b - 1$ 比特：有一位总是白存的。取消“对称”以后，步长减小一半多，SQNR 升 6 dB 多，$H$ 也增加，因为不等于 0 的数分得更细了。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 不独立的样本
#
# 平均长度不小于 $H$，这个结论是对**一个一个独立编码**说的。如果相邻的编码有关联，知道了前一个，后一个就不那么难猜，还可以更省。
#
# 下一个单元格把四种数据存成 8 位，看三个熵：编码的熵；相邻两个编码之差的熵；用前 16 个编码的线性组合预测下一个，整数残差的熵。由差或残差都能一个不差地还原编码。
#
# **【预测】** 照片、和弦、网络的权重，哪些会因为“看前面”而省下许多？

# %% slideshow={"slide_type": "skip"}
def residual(codes, taps):
    """The integers that remain when each code is predicted from the `taps` before it."""
    windows = codes.flatten().double().unfold(0, taps + 1, 1)
    past, following = windows[:, :-1], windows[:, -1:]
    weights = torch.linalg.lstsq(past, following).solution  # least squares
    return (following - (past @ weights).round()).long()


# %% tags=["predict"] slideshow={"slide_type": "skip"}
network = samples.digits_network()
real = {"photograph": samples.photograph().movedim(2, 0), "chord": samples.chord()}
real |= {"conv weights": network[2].weight, "linear weights": network[5].weight}
print("data             stored      H   Huffman   H of differences   H, 16 before")
for name, v in real.items():
    codes = fit(v, 8).quantize(v).long()
    row = entropy(codes), huffman_mean(codes), entropy(codes.flatten().diff())
    print(f"{name:14} {8:8} {row[0]:6.2f} {row[1]:9.2f} {row[2]:18.2f}", end="")
    print(f"{entropy(residual(codes, 16)):15.2f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# 照片只存相邻像素的差，就省下两比特多；和弦的波形很有规律，预测以后只要一比特多。PNG 和 FLAC 这类无损格式正是先预测、再编码。权重之间几乎没有关联，求差反而让熵变大，预测也省不下什么，所以对权重来说，$H$ 接近真正的下限。（权重只有几千个，用频率代替概率，估出的熵略微偏低。）

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 率失真
#
# ### 码率与极限
#
# 现在可以问那条越不过去的线了。把 $N$ 个数一起编码成一串比特，再从这串比特重建。定义
#
# - [**码率**](glossary.ipynb#信息论)（rate）$R$：比特的总数除以 $N$，即平均每个数用几比特。定长码的 $R = b$；一个一个地做理想的熵编码，$R = H$。（信道编码里也有“码率”一词，与这里无关。）
# - **失真**（distortion）$D$：均方误差 $\mathbb{E}[(x - \hat x)^2]$ 对 $N$ 个数的平均。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先说清楚：极限不问方法，也不问代价。

# %% [markdown] slideshow={"slide_type": "notes"}
# 对编码的方法不作限制，$N$ 可以任意大。码率不超过 $R$ 时，$D$ 所能达到的下确界记作 $D(R)$，叫**率失真函数**（rate–distortion function）。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 一个数的下界
#
# 先看 $N = 1$。知道 $\hat x$ 以后，对 $x$ 的不确定程度减少了多少？这叫**互信息**（mutual information）：
#
# $$
# I(x; \hat x) = h(x) - h(x \mid \hat x)
# $$

# %% [markdown] slideshow={"slide_type": "notes"}
# 其中 $h(x \mid \hat x)$ 是给定 $\hat x$ 时 $x$ 的条件密度的微分熵，再对 $\hat x$ 取平均。互信息对两个变量是对称的，也等于 $H(\hat x) - H(\hat x \mid x)$，所以 $I(x; \hat x) \le H(\hat x)$；按上一节，平均码长不小于熵，$H(\hat x) \le R$。于是

# %% [markdown]
# $$
# R \ge h(x) - h(x \mid \hat x) = h(x) - h(e \mid \hat x) \ge h(x) - h(e) \ge h_{\mathrm G}(\sigma^2) - h_{\mathrm G}(D)
# $$

# %% [markdown] slideshow={"slide_type": "skip"}
# 一共三步，逐个说明理由：

# %% [markdown] slideshow={"slide_type": "notes"}
# 1. $h(x \mid \hat x) = h(e \mid \hat x)$。给定 $\hat x$ 时，$e = x - \hat x$ 只是把 $x$ 平移一个常数；密度平移，微分熵不变。
# 2. $h(e \mid \hat x) \le h(e)$。两者之差是 $e$ 与 $\hat x$ 的互信息，它等于联合密度对边缘密度之积的 KL 散度，按上一节的不等式，不会是负的：多知道一点，平均来说不会更不确定。
# 3. $h(e) \le h_{\mathrm G}(D)$。设 $g$ 是均值为 0、方差为 $D$ 的高斯密度。同一个不等式给出 $h(e) \le -\mathbb{E}[\log_2 g(e)]$；而 $-\log_2 g(e)$ 是常数加 $e^2$ 的倍数，它的均值只取决于 $\mathbb{E}[e^2] = D$，所以等于 $h_{\mathrm G}(D)$。最后，$x$ 是高斯，$h(x) = h_{\mathrm G}(\sigma^2)$。

# %% [markdown]
# 代入 $h_{\mathrm G}$，常数消去：
#
# $$
# R \ge \tfrac12 \log_2 \frac{\sigma^2}{D} \qquad (D \le \sigma^2)
# $$

# %% [markdown] slideshow={"slide_type": "skip"}
# 每一步各损失多少？拿 8 级的 Lloyd–Max 量化器算一遍。误差的密度 $f_e(u) = \sum_i f(y_i + u)$，只对 $y_i + u$ 落在第 $i$ 个区间里的 $i$ 求和。

# %% slideshow={"slide_type": "skip"}
u = torch.linspace(-6, 6, 120_001, dtype=torch.float64)  # the error, 1e-4 apart
ends = torch.cat([best.levels.new_tensor([-math.inf]), best.thresholds, u.new_tensor([math.inf])])
places = best.levels[:, None] + u  # where x lies if its level is y_i and its error u
inside = (places > ends[:-1, None]) & (places <= ends[1:, None])
f_error = (density(places) * inside).sum(0)
h_error = -torch.special.xlogy(f_error, f_error).sum().item() * 1e-4 / math.log(2)
p_codes = below(ends).diff()
print(f"R, stored bits               {math.log2(8):.3f}")
print(f"H(x_hat) = I(x; x_hat)       {-(p_codes * p_codes.log2()).sum().item():.3f}")
print(f"h(x) - h(e)                  {h_normal - h_error:.3f}")
print(f"1/2 log2(variance / D)       {0.5 * math.log2(1 / best.mse):.3f}")

# %% [markdown] slideshow={"slide_type": "skip"}
# 四个数从上到下依次减小，和推导的次序一致。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 许多个数一起编码
#
# 联合编码 $N$ 个数，会不会突破这个下界？对独立同分布的高斯数，不会。记第 $i$ 个数的误差为 $e_i$，均方为 $D_i$，$D = \frac1N\sum_i D_i$。同样的步骤给出

# %% [markdown] slideshow={"slide_type": "skip"}
# $$
# N R \ge h(x_1, \dots, x_N) - h(e_1, \dots, e_N \mid \hat x_1, \dots, \hat x_N) \ge \sum_{i=1}^{N} \left[h(x_i) - h(e_i)\right] \ge \sum_{i=1}^{N} \tfrac12 \log_2 \frac{\sigma^2}{D_i} \ge \frac N2 \log_2 \frac{\sigma^2}{D}
# $$

# %% [markdown] slideshow={"slide_type": "notes"}
# 第二个不等号用了两点：$x_i$ 独立，联合的微分熵等于各个微分熵之和；误差的联合微分熵不超过各个 $h(e_i)$ 之和（仍是上面的第 2 点）。最后一个不等号是 Jensen 不等式：$-\log_2$ 是凸函数，平均的函数值不超过函数值的平均。反过来写：

# %% [markdown]
# $$
# D(R) = \sigma^2\, 2^{-2R}
# $$
#
# 〔[N15](06_summary.ipynb#公式总表)〕

# %% [markdown]
# 我们证明了 $D$ 不能更小；Shannon 证明了 $N \to \infty$ 时可以任意接近这个下界（[Shannon，1959](references.ipynb)），所以这里写等号。条件是高斯、独立同分布；样本之间相关时，方差相同的数据可以做得更好，上一节的和弦就是例子。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 答 6 dB 的人忘了，一半的数不多花比特。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 每比特多少分贝
#
# 对独立的高斯数，每多 1 比特，$D(R)$ 恰好减到四分之一，也就是减小 6.02 dB，从 $R = 0$ 起，任何码率都如此。一般的光滑密度只在码率高时才有这个斜率。

# %% [markdown]
# **【预测】** 数据一半是 0，一半是高斯，用中平的等距网格加理想的熵编码。每多 1 比特，噪声减小多少分贝？还是 6 dB 吗？

# %%
exercises.predict("zeros-slope")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("step    rate H   noise, dB   dB per bit")
before = None
for step in (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32):
    codes = (half_zeros / step).round().long()
    now = entropy(codes), decibel(power(half_zeros - step * codes))
    slope = f"{(before[1] - now[1]) / (now[0] - before[0]):12.2f}" if before else ""
    print(f"1/{1 / step:<3.0f} {now[0]:8.3f} {now[1]:11.2f} {slope}")
    before = now

# %% [markdown] slideshow={"slide_type": "notes"}
# 步长越细，斜率越接近 12 dB，是 6 dB 的两倍。步长减半时，噪声减 6.02 dB，可是只有那一半不等于 0 的数才需要多 1 比特，平均只多半比特。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 均匀量化加熵编码，差 1.53 dB
#
# 步长小时，等距量化器的 $D = \Delta^2/12$，码率是熵 $H = h - \log_2\Delta$。消去 $\Delta$，对高斯有
#
# $$
# D = \frac{1}{12}\, 2^{2(h - H)} = \frac{2\pi\mathrm{e}}{12}\, \sigma^2\, 2^{-2H} = \frac{\pi\mathrm{e}}{6} \cdot \sigma^2\, 2^{-2H}
# $$
#
# 〔[N16](06_summary.ipynb#公式总表)〕

# %% [markdown]
# 和极限相比只差一个常数因子（[Gish & Pierce，1968](references.ipynb)）：
#
# $$
# 10\log_{10}\frac{\pi\mathrm{e}}{6} = 1.53 \ \mathrm{dB}, \qquad \frac12\log_2\frac{\pi\mathrm{e}}{6} = 0.255
# $$

# %% [markdown] slideshow={"slide_type": "notes"}
# 前者是同样码率下多出的噪声，后者是同样噪声下多用的比特数。一个最简单的等距量化器，后面接上熵编码，离理论极限只差四分之一比特。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 步长变粗，码率降到 1 比特左右（重建值仍在区间的正中），差距比 1.53 dB 大、一样，还是小？步长继续变细呢？“centroid”一列把重建值从区间的正中移到质心，能挽回多少？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先问方向：差距变大还是变小？多数人猜变大；再问：什么也不传时，差距是多少？

# %%
exercises.predict("entropy-gap")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
def entropy_coded(step):
    """Rate, noise with levels in the middle of their cells, and noise with centroids."""
    codes = (x / step).round().long()
    cell = codes - codes.min()
    centroids = torch.bincount(cell, x.double()) / torch.bincount(cell)
    return entropy(codes), power(x - step * codes), power(x - centroids[cell])


steps = (4.0, 3.0, 2.42, 2.0, 1.5, 1.0, 0.5, 0.25, 0.125, 0.0625)
coded, variance = [entropy_coded(s) for s in steps], power(x)  # of this sample: close to 1
print("step/sigma   rate H   dB above the limit: middle, centroid   bits above (middle)")
for s, (rate, middle, mean) in zip(steps, coded):
    gaps = [decibel(d / gaussian_distortion(rate, variance)) for d in (middle, mean)]
    extra = rate - math.log2(variance / middle) / 2
    print(f"{s:10} {rate:8.3f} {gaps[0]:27.2f} {gaps[1]:10.2f} {extra:21.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 步长变细，差距停在 1.53 dB，不再缩小。步长变粗，重建值放在正中的一列先变差，1 比特附近差到 2.7 dB，再粗又变好（码率趋于 0 时什么也不传，差距自然为 0）。移到质心，差距始终不超过 1.53 dB 左右。所以**码率低的时候，必须把重建值移到质心**。还要注意，霍夫曼码每个符号至少 1 比特，码率低于 1 比特的几行只有联合编码才能达到。
#
# 剩下的 1.53 dB 来自量化区间的形状。一个一个地量化，$N$ 个数合在一起看，误差落在一个 $N$ 维的**立方体**里；同样的体积，**球**的均方误差更小，$N \to \infty$ 时正好小 1.53 dB（[Zador，1982；Gersho，1979](references.ipynb)）。要消除这一差距，只能把许多个数合在一起做**矢量量化**（vector quantization）。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 全部画在一张图上
#
# 横轴是码率。左图的纵轴是噪声，右图的纵轴是比极限高几分贝。
#
# **【预测】** 最优的等距量化器（定长）、Lloyd–Max（定长）、等距加熵编码（变长），5 比特时从好到坏怎样排？哪些差距随码率增大，哪些会停住？

# %%
exercises.predict("three-ways")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
widths = range(1, 8)
curves = {
    "even": (widths, [optimal_uniform(2**b, "normal").mse for b in widths]),
    "Lloyd-Max": (widths, [lloyd_max(2**b, "normal").mse for b in widths]),
    "even + H": ([c[0] for c in coded], [c[1] / variance for c in coded]),
    "centroids + H": ([c[0] for c in coded], [c[2] / variance for c in coded]),
}
above = {
    name: [decibel(d / gaussian_distortion(r)) for r, d in zip(*curve)]
    for name, curve in curves.items()
}
print("b       even   Lloyd-Max   (dB above the limit)")
for b, even, free in zip(widths, above["even"], above["Lloyd-Max"]):
    print(f"{b} {even:10.2f} {free:11.2f}")

# %% tags=["predict", "fold"] slideshow={"slide_type": "subslide"}
sheet = Sheet(panels=2, height=3.9)
limit = [gaussian_distortion(r) for r in range(9)]
sheet.frame(0, "rate and distortion", "bits per value", "D / σ²", (0, 8), (1e-5, 2), yscale="log")
sheet.frame(1, "how far from the limit", "bits per value", "dB above D(R)", (0, 8), (-0.3, 8))
sheet.line(0, "limit", range(9), limit, color=INK)
sheet.line(1, "limit", [0, 8], [0, 0], color=INK)
for (name, (r, d)), color in zip(curves.items(), (GREEN, RED, BLUE, PURPLE)):
    sheet.line(0, name, r, d, color=color, marker="o", markersize=4, linewidth=1)
    sheet.line(1, name, r, above[name], color=color, marker="o", markersize=4, linewidth=1)
for name, height in (("4.35 dB", 4.347), ("1.53 dB", 1.533)):
    sheet.line(1, name, [0, 8], [height] * 2, color=GRAY, linestyle="--", linewidth=1)
sheet.legend(1, ncols=3)
ends = ", ".join(f"{name} {v[-1]:.2f} dB" for name, v in above.items())
sheet.show("01b_rate_distortion-curves", ends=ends)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 指着图问：哪一条最靠近极限，哪一条被用得最多？为什么不是同一条？

# %% [markdown] slideshow={"slide_type": "notes"}
# 读图：
#
# - **等距、定长**（even）：差距随码率一直增大。高斯没有边界，每多一位，最好的范围就更宽，步长减小不到一半。
# - **Lloyd–Max、定长**：差距停在 4.35 dB，就是第 1 节 $\sqrt3\,\pi/2$ 那个常数（把 $L = 2^R$ 代入即得）。重建值摆在该摆的地方，但每个编码仍占同样多的位。
# - **等距、变长**（even + H）：大约 2 比特以上胜过前两种，差距停在 1.53 dB。不必费心摆放重建值，节省比特的事交给熵编码。1 比特附近，重建值若不移到质心，反而不如 Lloyd–Max。
# - **移到质心**（centroids + H）：在所有码率下都是这几种里最好的。

# %% [markdown] slideshow={"slide_type": "skip"}
# 四条曲线都在 $D(R)$ 之上，没有一个点越过极限。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【思考】** 既然“等距加熵编码”最好，为什么神经网络的权重很少这样存？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 变长的编码不能直接跳到第一万个权重。要能从中间开始解、能并行地解，就得分块，并记下每一块的起点；解码也要花时间，而且做乘法之前还要变回定长的整数。有人这样做：Deep Compression 用霍夫曼码存权重（[Han 等，2016](references.ipynb)），DFloat11 用霍夫曼码存 bfloat16 的指数，在 GPU 上边解边算（[Zhang 等，2025](references.ipynb)）。但定长编码简单得多：位置一算就知道，一次可以读一批。
#
# 所以，这张图不是给几种方法排名次，而是标出每作一次简化要付出多少分贝的代价。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ## 练习
#
# 这些练习留到课后做。每一题先写答案，再运行下一个单元格检查；检查不通过时，会给出最小的反例和提示。还没有动手的题，检查只会说“还没有完成”。

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（6 分钟，难度 1/3）写出 `my_entropy(counts)`：`counts` 是各个符号出现的次数（列表，可能有 0），返回熵，即平均每个符号几比特。

# %% slideshow={"slide_type": "skip"}
def my_entropy(counts):
    return ...  # your code; math.log2

# %% slideshow={"slide_type": "skip"}
exercises.check("entropy-of-counts", my_entropy)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_entropy(counts):
#     total = sum(counts)
#     return sum(c / total * math.log2(total / c) for c in counts if c)
# ```
#
# 没有出现的符号不贡献：$p \to 0$ 时 $p\log_2 p \to 0$。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（8 分钟，难度 2/3）码字是 A = `0`、B = `10`、C = `110`、D = `111`。写出 `my_decode(bits)`：`bits` 是由 0 和 1 组成的字符串，返回符号组成的字符串。

# %% slideshow={"slide_type": "skip"}
def my_decode(bits):
    symbols = {"0": "A", "10": "B", "110": "C", "111": "D"}
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("decode-prefix", my_decode)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_decode(bits):
#     symbols = {"0": "A", "10": "B", "110": "C", "111": "D"}
#     found, word = "", ""
#     for bit in bits:
#         word += bit
#         if word in symbols:
#             found, word = found + symbols[word], ""
#     return found
# ```
#
# 没有一个码字是另一个的开头，所以一凑成就可以断开，不需要分隔符。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（6 分钟，难度 2/3）写出 `my_nearest(x, levels)`：`levels` 是从小到大的重建值（张量，不一定等距），返回 `x` 的每个元素最近的重建值。`torch.bucketize(x, t)` 给出每个元素落在门限 `t` 的第几个区间。

# %% slideshow={"slide_type": "skip"}
def my_nearest(x, levels):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("nearest-level", my_nearest)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_nearest(x, levels):
#     thresholds = (levels[1:] + levels[:-1]) / 2
#     return levels[torch.bucketize(x, thresholds)]
# ```
#
# 这就是第一个必要条件：门限在相邻重建值的正中。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（5 分钟，难度 1/3）写出 `my_gap(rate, mse, variance)`：方差为 `variance` 的高斯信号，每个数用 `rate` 比特，噪声功率是 `mse`。返回噪声功率比极限 $D(R)$ 高几分贝；三个参数都是数。

# %% slideshow={"slide_type": "skip"}
def my_gap(rate, mse, variance):
    return ...  # your code; math.log10

# %% slideshow={"slide_type": "skip"}
exercises.check("above-limit", my_gap)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_gap(rate, mse, variance):
#     limit = variance * 2 ** (-2 * rate)
#     return 10 * math.log10(mse / limit)
# ```
#
# 极限与信号的功率成正比，每比特减为四分之一。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 讨论
#
# **【思考】** 等距加熵编码离极限只差 1.53 dB。这 1.53 dB 值不值得追？要付出什么？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 讨论 5 分钟：1.53 dB 值不值得追？

# %% [markdown] slideshow={"slide_type": "skip"}
# 全课做到了哪里，运行下面的单元格就知道：

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 小结
#
# - 最优标量量化器的两个必要条件：门限位于相邻重建值的正中，重建值是所在区间的条件均值。密度的对数是凹函数时，满足它们的量化器唯一；对一般的样本，Lloyd–Max 算法（一维的 $k$ 均值）可能停在局部最小。
# - 满足质心条件的量化器，误差与输出 $\hat x$ 不相关，与输入 $x$ 相关：$\mathbb{E}[x\,e] = \sigma_q^2$。
# - 零点是整数编码时，网格是中平型，0 没有误差；级的个数为偶数的对称等距网格是中升型。

# %% [markdown] slideshow={"slide_type": "subslide"}
# - 级很多时，最优的点密度正比于 $f(x)^{1/3}$；对高斯，$D \approx (\sqrt3\,\pi/2)\,\sigma^2/L^2$。
# - 概率为 $p$ 的符号该用 $-\log_2 p$ 比特，平均就是熵 $H$。逐个编码时，平均码长不小于 $H$ 比特；样本相关时，先预测再编码可以更短。霍夫曼码每个符号多用不到 1 比特，但总共至少用 1 比特。
# - 独立同分布的高斯数据，码率为 $R$ 比特时，均方误差不小于 $D(R) = \sigma^2\,2^{-2R}$。
# - 高码率时，等距加熵编码离这个极限 1.53 dB，也就是 0.255 比特；定长的 Lloyd–Max 离它 4.35 dB。码率在 1 比特上下时，要把重建值移到质心。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下一章：[量化方案](02_schemes.ipynb)。有哪些整数可以用，4 位的数怎样放进字节。
