# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 开始：量化的基础与数学原理
#
# 神经网络的权重通常存成 32 位浮点数，一个数占 4 个字节。**量化**（quantization）换一种存法：先选定几个整数，再用它们去代表所有的实数。8 位整数只占 1 个字节，4 位整数只占半个。
#
# 字节省下来了，精度也丢了一部分。丢多少，能不能算出来，什么时候算出来的不对：这门课就回答这三个问题。
#
# **学完这一章，你能：**
#
# - 说出每一章要回答的问题，知道该从哪里读起；
# - 确认自己的环境能用，不能用时知道缺什么；
# - 拖动滑块，读懂一张量化的阶梯图；
# - 认得全课通用的记号，跟着一个数走完量化和反量化；
# - 放心地改自己的副本，随时重来；
# - 判断“我的数字和这里不一样”要不要紧。
#
# | 部分 | 时间 |
# |:--|:--|
# | 环境检查 | 5 分钟 |
# | 第一个滑块 | 10 分钟 |
# | 课程地图，学习方法，你的副本 | 10 分钟 |
# | 记号，一个数的旅程 | 10 分钟 |
# | 我的数字不一样；没有网络 | 10 分钟 |
#
# 需要的准备：会 Python，学过大学一年级的微积分和概率论。不需要信息论。深度学习只要知道一点：网络的一层，就是乘一个矩阵。

# %% [markdown]
# ## 环境检查
#
# 选中下面的单元格，按 Shift + Enter 运行。它读取仓库里的 `pyproject.toml`，把课程要求的版本范围和这台电脑上装的版本逐个比较。

# %%
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

# %% [markdown]
# 每一行都是 `OK`，就往下走。否则查这张表：
#
# | 看到的 | 意思 | 怎么办 |
# |:--|:--|:--|
# | 个别几行 `MISSING` | 安装没有做完 | 关掉 JupyterLab，删掉仓库根目录下的 `.venv` 文件夹，再运行 `make lab` |
# | 几乎全是 `MISSING` | 笔记本连到了另一个 Python | 用 `make lab` 打开课程；菜单 Kernel → Change Kernel，选 Python 3 (ipykernel) |
# | `DIFFERS` | 装了，但版本不在要求的范围里 | 同第一行 |
# | `No module named 'tomllib'` | Python 太旧 | 安装 Python 3.11 或更新的版本 |
# | 下一格出现 `No module named 'quantcore'` | 同第二行 | 同第二行 |
# | `No such file or directory` | 笔记本被单独拷了出来 | 在完整的仓库里打开它 |
#
# 不用 `make` 也可以：在自己的虚拟环境里运行 `pip install -c constraints.txt -e ".[lab]"`，装的是同样的版本。

# %%
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import explore, samples, sqnr_db

# %% [markdown]
# 数学都在 `quantcore` 里，那是一个小的 Python 包，一个晚上可以读完。笔记本只用它，不重写它。
#
# 下一行决定控件上的文字用哪种语言。图里的文字只用英文和符号，免得有的电脑缺中文字体。

# %%
explore.set_language("zh")

# %% [markdown]
# ## 第一个滑块
#
# 数据落在区间 $[-1, 2]$ 里。用 $b$ 位整数去代表它，$b$ 叫**位宽**（bit width）。$b$ 位一共有 $2^b$ 个不同的编码，所以量化后的值只能有 $2^b$ 个，相邻两个值的距离叫**步长**（step）。
#
# **先猜。** 现在 $b = 3$。把 $b$ 调到 4：
#
# 1. 台阶有几级？
# 2. 步长会不会正好是原来的一半？
#
# <details><summary>想好了再看</summary>
#
# 1. $2^4 = 16$ 级，是原来的两倍。
# 2. 不会，比一半还小一点。8 个点之间有 7 个间隔，16 个点之间有 15 个间隔。步长从 $3/7$ 变成 $3/15$，是原来的 $7/15$。位宽越大，这个比就越接近 $1/2$。
#
# </details>
#
# **再动手。** 拖动「位宽 b」，勾选或取消「对称」。也可以用键盘：按 Tab 键移到控件上，再按方向键。

# %%
explore.staircase(bits=3, symmetric=False)

# %% [markdown]
# **怎么读这张图。**
#
# - 左图：横轴是原来的值 $x$，纵轴是量化后的值 $\hat x$。水平的一段叫一级台阶，落在同一级里的 $x$ 再也分不开。虚线是 $\hat x = x$。
# - 右图：误差除以步长。在台阶覆盖的范围里，它总在 $\pm\tfrac12$ 之间。超出范围以后，$\hat x$ 不再变化，误差一路增大，这叫**截断**（clipping）。
# - 右图的橙线在范围里是 1，在范围外是 0。它是训练时用的梯度，[均匀量化器](04_quantizer.ipynb)一章再讲。
# - 图下的一行数字：缩放因子 $s$（这里就是步长）、零点 $z$、级数、最大的值。
#
# **问一问。** 勾上「对称」，步长变大了。级数没有变，为什么变粗了？
#
# <details><summary>想好了再看</summary>
#
# 对称量化让正负两边一样宽。数据只到 $-1$，台阶却一直铺到 $-2$ 以下，那边的几级白白浪费了。该不该用对称，是[量化参数](03_params.ipynb)一章的问题。
#
# </details>
#
# **算一算，对一对。** 非对称量化的步长是
#
# $$
# s = \frac{x_{\max} - x_{\min}}{2^b - 1}
# $$
#
# 下面左边一列按公式算，右边一列是 `quantcore` 从数据得到的。

# %%
x = torch.tensor([-1.0, 2.0])
print("b   levels   s predicted   s measured")
for b in range(2, 9):
    scheme = QuantizationScheme.from_bits(b)
    params = QuantizationParams.from_tensor(x, scheme, symmetric=False)
    print(f"{b}   {scheme.levels:6}   {3 / (2**b - 1):11.5f}   {params.scale.item():10.5f}")

# %% [markdown]
# ### 滑块不动，怎么办
#
# | 现象 | 原因 | 办法 |
# |:--|:--|:--|
# | 代码下面什么也没有 | 这一格还没有运行过 | 选中那一格，按 Shift + Enter；全部运行用菜单 Run → Run All Cells |
# | 有图，没有滑块，图下有一行字“运行这一格，这幅图就能动” | 这是上次保存下来的图。图存得下来，控件存不下来，要等内核（kernel）来算 | 先用菜单 Run → Run All Above Selected Cell 运行前面的单元格，再运行这一格 |
# | `NameError: name 'explore' is not defined` | 只运行了这一格，前面导入 `explore` 的单元格还没有运行；内核重启以后也是这样 | 同样先运行前面的单元格，再运行这一格 |
# | 图的上方写着“内核重新启动过，这幅图已经不能动了” | 图和控件属于原来的内核，它已经停了 | 同样先运行前面的单元格，再运行这一格 |
# | 运行过了，还是只有图 | 网页里没有装上控件 | 看环境检查里 `ipywidgets` 那一行；装好以后重启 JupyterLab，再刷新网页 |
# | 出现 `Error displaying widget` | 笔记本不是用 `make lab` 打开和保存的，留下了已经失效的控件 | 同“有图，没有滑块”那一行 |
# | 在代码托管网站上打开，只有图 | 网站上没有内核，没有谁来计算 | 下载整个仓库，运行 `make lab` |
# | 滑块能动，图不变 | 内核在忙，或者已经停了 | 看右上角的内核状态；菜单 Kernel → Restart Kernel and Run All Cells |
# | 图下出现一行“出错了” | 计算时出了错，原因就写在那里 | 照它说的改；改不好就重启内核，从头运行 |

# %% [markdown]
# ## 课程地图
#
# | 章 | 它回答的问题 | 时间 |
# |:--|:--|:--|
# | [信息论基础](01_information_theory.ipynb) | 量化丢掉了什么，要付多少代价？$\Delta^2/12$ 和「每位 6 dB」从哪里来，什么时候不成立？ | 90 分钟 |
# | [量化方案](02_schemes.ipynb) | 有哪些整数可以用？4 位的数怎样放进字节？浮点格式的台阶摆在哪里？ | 60 分钟 |
# | [量化参数](03_params.ipynb) | 缩放因子和零点怎么定？一个离群值会造成多大的损害？ | 90 分钟 |
# | [均匀量化器](04_quantizer.ipynb) | 舍入、加零点、截断，为什么是这个顺序？梯度从哪里来？只用整数怎样做乘法？ | 90 分钟 |
# | [可视化分析](05_visualization.ipynb) | 看一个张量的图，能不能说出它的量化哪里出了毛病？ | 75 分钟 |
# | [总结](06_summary.ipynb) | 全课的公式都对吗？再验一遍。接下来读什么？ | 60 分钟 |
#
# 各章按顺序读最省力，因为后面的记号都在前面引入。赶时间的话，先读[量化参数](03_params.ipynb)和[均匀量化器](04_quantizer.ipynb)，这两章合起来就是工程上天天用的那一部分。
#
# 课程的骨架来自一份短的讲义，下文叫它「原文档」。它的类名、函数名和公式都保留下来。它也有几处错误：除以零、返回 NaN、公式里漏了截断。每一处都会先让你看到后果，再改正。这些错误很常见，自己写一遍量化代码，多半也会碰上。

# %% [markdown]
# ## 怎么学：猜，动，讲，验
#
# 每一节都是同样的四步。
#
# 1. **猜**。先写下答案，一个数或者一句话，然后才往下看。猜错没有关系，错得越具体，记得越牢。
# 2. **动**。拖动滑块，看自己猜得对不对。
# 3. **讲**。读推导。每一步都短，跟着在纸上写。
# 4. **验**。推导的下一格代码总会做同一件事：左边印公式算出来的（`predicted`），右边印测出来的（`measured`）。两列对上了，才算学会。两列有时故意对不上，那里正是公式失效的地方。
#
# 「想好了再看」里是答案。先想，再点开。

# %% [markdown]
# ## 你的副本
#
# `make lab` 打开的是 `my/zh/` 里的笔记本。它们是从 `notebooks/zh/` 复制来的，输出已经清空，归你一个人使用。先猜，再运行，答案这时才印出来。
#
# - **随便改，随便存。** 这个文件夹不归 git 管理。你在里面改什么、存什么，都不影响仓库，也不影响 `make test`。`make lab` 只补上缺少的副本，从不覆盖你改过的。
# - **想重来。** 先在 JupyterLab 里关掉那一章，再打开终端，在仓库的根目录里运行 `make reset CHAPTER=03_params`，你会得到一份新的副本。原来那份还在，改名叫 `03_params-old.ipynb`。
# - **课程更新了。** 再运行一次 `make lab`。没有动过的副本会换成新的一章。改过或者运行后保存过的，原样留下，新的一章放在它旁边，名叫 `03_params-new.ipynb`，终端里会写明是哪几章。
# - **第二天再打开。** 文字、代码、输出和图都存下来了。滑块要等你重新运行那一格，才会出现。
# - **想看运行过的样子。** 在左边的文件列表里回到根目录，打开 `notebooks/zh/` 里同名的笔记本。那里只看，不要运行。

# %% [markdown]
# ## 记号
#
# 全课只用这一套字母。
#
# | 记号 | 中文 | English | 含义 |
# |:--|:--|:--|:--|
# | $x$ | 原值 | original value | 量化之前的实数 |
# | $q$ | 编码 | code | 代表 $x$ 的整数，在 $q_{\min}$ 和 $q_{\max}$ 之间 |
# | $\hat x$ | 重建值，读作「x 帽」 | reconstructed value, "x hat" | 从 $q$ 还原出来的实数 |
# | $s$ | 缩放因子 | scale | 编码加 1，重建值加多少；单位和 $x$ 相同 |
# | $z$ | 零点 | zero point | 实数 0 对应的编码，是整数 |
# | $b$ | 位宽 | bit width | 一个编码占几位（bit） |
# | $\Delta$ | 步长，读作「德尔塔」 | step, "delta" | 相邻两个重建值的距离；均匀量化时 $\Delta = s$ |
# | $e$ | 误差 | error | $e = x - \hat x$ |
# | $\sigma_q^2$ | 量化噪声功率，读作「西格玛 q 方」 | quantization noise power, "sigma q squared" | $e^2$ 的平均值 |
# | SQNR | 量化信噪比，按字母读 | signal-to-quantization-noise ratio | 信号功率比噪声功率，单位分贝（dB） |
#
# 「平均」有两种：对随机变量是期望，写作 $\mathbb{E}[e^2]$；对手里的一批数是算术平均。数据足够多，两者就很接近。
#
# 两个核心的式子，一个去，一个回：
#
# $$
# q = \operatorname{clamp}\!\left(\operatorname{round}\!\left(\frac{x}{s}\right) + z,\; q_{\min},\; q_{\max}\right)
# $$
#
# $$
# \hat x = s\,(q - z)
# $$
#
# 第一个是**量化**，第二个是**反量化**（dequantization）。$\operatorname{clamp}$ 把超出 $[q_{\min}, q_{\max}]$ 的编码拉回端点。顺序不能换：先**舍入**（rounding），再加零点，最后截断。
#
# ### 一个数的旅程
#
# 取 $x = 0.7$，用上面 3 位非对称的台阶：数据范围 $[-1, 2]$，编码从 $-4$ 到 3。
#
# **先猜。** 拿笔算：$s$、$z$、$q$、$\hat x$、$e$ 各是多少？提示：$z = \operatorname{round}(q_{\min} - x_{\min}/s)$。
#
# <details><summary>想好了再看</summary>
#
# $s = 3/7$。$z = \operatorname{round}(-4 + 7/3) = \operatorname{round}(-1.67) = -2$。
#
# $x/s = 1.63$，舍入得 2，加零点得 $q = 0$，没有超出范围。
#
# $\hat x = s\,(0 + 2) = 6/7$，$e = 0.7 - 6/7 \approx -0.157$，绝对值小于 $s/2$。
#
# </details>

# %%
s, z, qmin, qmax = 3 / 7, round(-4 + 7 / 3), -4, 3
q = min(max(round(0.7 / s) + z, qmin), qmax)
by_hand = [s, z, q, s * (q - z), 0.7 - s * (q - z)]

params = QuantizationParams.from_tensor(x, QuantizationScheme.INT3, symmetric=False)
quantizer, value = UniformQuantizer(params), torch.tensor(0.7)
measured = [params.scale, params.zero_point, quantizer.quantize(value)]
measured += [quantizer(value), value - quantizer(value)]
for name, a, m in zip(["s", "z", "q", "x̂", "e"], by_hand, measured):
    print(f"{name}   predicted {a:8.4g}   measured {m.item():8.4g}")

# %% [markdown]
# 一个数有误差 $e$。一批数就看 $\sigma_q^2$ 和 SQNR：
#
# $$
# \sigma_q^2 = \frac1n \sum_{i=1}^{n} (x_i - \hat x_i)^2,
# \qquad
# \mathrm{SQNR} = 10 \log_{10} \frac{\frac1n\sum x_i^2}{\sigma_q^2} \ \text{dB}
# $$
#
# SQNR 越大越好。每多 10 dB，噪声功率就只剩十分之一。
#
# **先猜。** 一万个标准正态的数，用 8 位对称量化，SQNR 大约是 20 dB、40 dB，还是 80 dB？

# %%
w = samples.distribution("normal")
quantizer = UniformQuantizer(QuantizationParams.from_tensor(w, QuantizationScheme.INT8))
noise = (w - quantizer(w)).double().square().mean()
by_formula = 10 * torch.log10(w.double().square().mean() / noise)
print(f"SQNR in dB   by the formula {by_formula:.2f}   by sqnr_db {sqnr_db(w, quantizer(w)):.2f}")

# %% [markdown]
# 「每位约 6 dB」这句话，8 位似乎该有 48 dB。这里不到，而且差得不少。差在哪里，下一章算清楚。

# %% [markdown]
# ## 我的数字不一样
#
# `notebooks/zh/` 里的笔记本保存着输出，是在另一台电脑上算的。拿你的副本和它对照，有的数该一样，有的数不会一样。
#
# | 输出 | 会不会变 | 说明 |
# |:--|:--|:--|
# | 编码、零点、级数、字节数 | 不会 | 都是整数 |
# | 步长、SQNR、熵、误差的表 | 不会 | 印到三四位有效数字，各台电脑都一样 |
# | 随机数据 | 不会 | 都在 CPU 上用固定的种子生成，再搬到别的设备 |
# | 浮点数的最后一两位 | 会 | 加法的先后不同，舍入就不同；它比印出来的位数小得多 |
# | 时间、速度、倍数 | 会 | 说的是你的机器，不是数学 |
#
# 时间这一类的单元格，代码里有一行英文注释说明为什么会变。其余的每一格，`make test` 都会重新运行，逐个字符和保存的输出比较（图比的是它的文字摘要，不比像素）。它运行的是 `notebooks/zh/` 里的笔记本，和你的副本无关。
#
# 浮点数的最后一位为什么会变？**先猜**：下面三行各印什么？
#
# <details><summary>想好了再看</summary>
#
# 第一行 `False`：浮点加法不满足结合律，换一个顺序就差一点点。CPU 的核数、指令集、GPU 都会改变求和的顺序。
#
# 第二行 `True`：两边差得极小，印三位有效数字就看不出来了。
#
# 第三行 `True`：同一个种子，同样的数。
#
# </details>

# %%
print((0.1 + 0.2) + 0.3 == 0.1 + (0.2 + 0.3))
print(f"{(0.1 + 0.2) + 0.3:.3g}" == f"{0.1 + (0.2 + 0.3):.3g}")
print(torch.equal(samples.distribution("normal", seed=0), samples.distribution("normal", seed=0)))

# %% [markdown]
# 如果“不会变”的数变了，按这个顺序查：
#
# 1. 菜单 Kernel → Restart Kernel and Run All Cells。单元格没有按顺序运行，是最常见的原因。
# 2. 回到环境检查，看有没有 `DIFFERS`。
# 3. 你改过这一章的代码吗？运行 `make reset CHAPTER=03_params`（换成这一章的名字），把新的副本从头运行一遍，再比较。
# 4. 运行 `make test`。它通过了，你的电脑和课程就没有问题，差别出在你改过的地方；它没有通过，会说是哪一格不同。
# 5. 新的副本也不同，或者 `make test` 没有通过，那就是这门课的错。请到仓库里报告，附上那一格的输出和 `pip list`。

# %% [markdown]
# ## 没有网络
#
# 装好以后，全课不需要网络。数据都在本地：照片和手写数字随 scikit-learn 一起安装，和弦是现算的，其余是用种子生成的随机数。笔记本就在仓库里，图和滑块也不从网上取任何东西，JupyterLab 也不去查新闻和更新。
#
# 安装要用一次网络，最大的一个包是 `torch`。下载慢的话，换成离你近的镜像，许多高校和云服务商都有，地址写在它们的主页上：
#
# ```
# PIP_INDEX_URL=镜像的地址 make lab
# ```
#
# 教室里没有网络的话，先在一台有网的、系统和 Python 版本都相同的电脑上，在仓库的根目录里把包下载到一个文件夹：
#
# ```
# python3 -m pip download -d wheels -c constraints.txt "setuptools>=77" ".[lab]"
# ```
#
# 这些包有几百 MB；如果 `torch` 是带 CUDA 的，就有好几个 GB。把整个仓库连同 `wheels` 文件夹一起拷到教室的电脑上，让 pip 只用这个文件夹：
#
# ```
# PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels make lab
# ```
#
# 两条命令装的是同样的包，`make test` 会照着做一遍。在 Windows 上，第一条命令里的 `python3` 写成 `python`。

# %% [markdown]
# ## 小结
#
# - 量化用少数几个整数代表实数：$q = \operatorname{clamp}(\operatorname{round}(x/s) + z,\, q_{\min},\, q_{\max})$，$\hat x = s\,(q - z)$。
# - $b$ 位有 $2^b$ 级，$2^b - 1$ 个间隔。
# - 在范围里，误差不超过半个步长；出了范围，误差没有上限。
# - 每一节都是猜、动、讲、验。数字由代码算出来，不靠手抄。
# - 时间会变，数学不会。
#
# 下一章：[信息论基础](01_information_theory.ipynb)。
