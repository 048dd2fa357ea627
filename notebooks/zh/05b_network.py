# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 一个真实的网络：从训练到只用整数运行
#
# 前面几章量化的是一个张量、一层权重。可是没有人部署“一层”。一个完整的网络量化以后，准确率还剩多少？文件小了几倍？运行快了没有？最怕量化的是哪一层？
#
# 这一章把整个过程走一遍：训练一个小网络，量化，修补，只用整数运行，存成文件，测速度。最后，把同样的办法用到你自己的模型上。
#
# 先说清楚哪些是真的，哪些是模拟的。准确率、文件的字节数和整数运算的结果都是真的。伪量化用浮点数模拟整数，只说明准确率，不说明速度；速度在第 7 节用 onnxruntime 实测。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 到今天为止，课上量化的都是一层。问：整个网络会差多少，是各层误差之和吗？

# %% [markdown] slideshow={"slide_type": "subslide"}
# **学完这一章，你能：**
#
# - 对一个训练好的网络做训练后量化，并为激活值选一种校准方法；
# - 逐层测量敏感度，在给定的字节数以内为每一层选位宽；
# - 用几轮量化感知训练找回低位宽丢掉的准确率，并用五个随机种子说明结果不是偶然；
# - 只用整数运行整个网络，说出结果与伪量化不同的原因；
# - 预测文件的字节数，说出一个方案的速度该怎样测；
# - 逐层检查自己的模型。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 部分 | 时间 |
# |:--|:--|
# | 1 数据与网络 | 10 分钟 |
# | 2 训练后量化 | 18 分钟 |
# | 3 哪一层、哪个通道最怕量化 | 17 分钟 |
# | 4 量化感知训练 | 6 分钟 |
# | 5 只用整数运行 | 10 分钟 |
# | 6 存成文件 | 7 分钟 |
# | 7 速度 | 11 分钟 |
# | 8 准确率与字节 | 3 分钟 |
# | 9 换成你自己的模型 | 4 分钟 |
# | 练习 | 18 分钟 |
# | 小结 | 3 分钟 |
# | ★ 选读 | 5 分钟 |

# %% slideshow={"slide_type": "skip"}
import itertools
import math
import tempfile
import time
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

# %% slideshow={"slide_type": "skip"}
from quantcore import QuantizationScheme, exercises, explore, fixed_point_multiplier, pack_int4
from quantcore import samples, sqnr_db, unpack_int4
from quantcore.integer import requantize
from quantcore.quantizer import fit
from quantcore.sheet import BLUE, GRAY, GREEN, INK, ORANGE, PURPLE, RED, SKY, Sheet
from quantcore.survey import progress, report, survey

# %% slideshow={"slide_type": "skip"}
explore.set_language("zh")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 数据与网络
#
# 数据是 scikit-learn 自带的手写数字，每张图片 8×8 个像素。先把图片分成三份，三份互不重叠，各有各的用处：
#
# - **训练集**：训练网络，也用于量化感知训练；
# - **校准集**：收集激活值的范围，比较各种方案，选择位宽；
# - **测试集**：只用来报告准确率，不参与任何选择。
#
# 如果在测试集上选方案，报告的准确率就会偏高。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 追问：为什么不能在测试集上选方案？请学生举一个生活中的例子。

# %% slideshow={"slide_type": "skip"}
pictures, digits, x_test, y_test = samples.digits()
held = torch.arange(len(digits)) % 5 == 4
x_train, y_train = pictures[~held].double(), digits[~held]
x_cal, y_cal = pictures[held].double(), digits[held]
x_test = x_test.double()
print(f"train {len(x_train)}, calibration {len(x_cal)}, test {len(x_test)} pictures;", end=" ")
print(f"one test picture is {1 / len(x_test):.2%}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# 网络有三个卷积层和一个线性层。每个卷积层后面是**批归一化**（batch normalization）和 ReLU（见[网络的最少知识](00_start.ipynb#网络的最少知识)）。批归一化把每个通道减去均值 $\mu$、除以标准差 $\sigma$，再乘 $\gamma$、加 $\tau$（后两个数是学出来的），训练会快得多。
#
# 训练十轮（把训练集用一遍叫一轮），用带动量的梯度下降（每一步还沿用上一步的九成），学习率逐渐减到 0；每张图片加一点噪声，免得网络死记硬背。全部用 float64 计算，这样各种电脑得到的数字都相同；训练完再把权重舍入成 float32。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 训练不是今天的内容，一句带过。

# %% slideshow={"slide_type": "skip"}
def new_network(seed):
    torch.manual_seed(seed)
    layers, channels = [], 1
    for out, stride in ((16, 1), (32, 2), (32, 2)):
        conv = nn.Conv2d(channels, out, 3, stride, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(out), nn.ReLU()]
        channels = out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 2 * 2, 10)).double()

# %% slideshow={"slide_type": "skip"}
def batches(seed, epochs):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for part in torch.randperm(len(x_train), generator=generator).split(64):
            noise = torch.randn(x_train[part].shape, generator=generator, dtype=torch.float64)
            yield x_train[part] + 0.2 * noise, y_train[part]

# %% slideshow={"slide_type": "skip"}
def train(output, weights, seed, epochs, rate):
    moves, steps = [torch.zeros_like(w) for w in weights], epochs * math.ceil(len(x_train) / 64)
    for step, (x, y) in enumerate(batches(seed, epochs)):
        gradients = torch.autograd.grad(F.cross_entropy(output(x), y), weights)
        with torch.no_grad():
            for w, move, gradient in zip(weights, moves, gradients):
                move.mul_(0.9).add_(gradient)
                w -= rate * (1 - step / steps) * move

# %% slideshow={"slide_type": "skip"}
def trained(seed):
    network = new_network(seed)
    train(network, list(network.parameters()), seed, 10, 0.1)
    return network.eval().requires_grad_(False)


networks = [trained(seed) for seed in progress(range(5), "training")]

# %% [markdown] slideshow={"slide_type": "notes"}
# 为什么训练五个？测试集只有四百多张图片，训练又有偶然性，只看一个网络，分不清差别是方案造成的，还是运气造成的。下面各表里，准确率凡是带 ± 的，都是五个随机种子的平均值和标准差；不带 ± 的，是单独一个网络的。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 并入批归一化
#
# 训练完以后，批归一化的均值 $\mu$ 和标准差 $\sigma$ 不再变化。卷积的输出是 $w * x$（$*$ 是卷积），批归一化得到 $\gamma\,(w * x - \mu)/\sigma + \tau$。这还是一个卷积，只是权重换了，又多了一个偏置：
#
# $$
# w' = \frac{\gamma}{\sigma}\,w, \qquad \mathrm{bias}' = \tau - \frac{\gamma}{\sigma}\,\mu
# $$
# 〔[T1](06_summary.ipynb#公式总表)〕
#
# 每个输出通道有自己的 $\gamma/\sigma$。量化之前先这样并入，运行时就少一步，也少一次舍入。下一个单元格做并入，这一节的最后一个代码单元格检验输出没有变。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生推出合并后的权重与偏置，两行。

# %% slideshow={"slide_type": "skip"}
def folded(network):
    """A (weight, bias) for each of the four layers, as float32 holds them."""
    pairs = []
    for conv, norm in ((network[i], network[i + 1]) for i in (0, 3, 6)):
        ratio = norm.weight / (norm.running_var + norm.eps).sqrt()
        pairs.append((conv.weight * ratio[:, None, None, None],
                      norm.bias - norm.running_mean * ratio))
    pairs.append((network[10].weight, network[10].bias))
    return [(w.float().double(), b.float().double()) for w, b in pairs]


nets = [folded(network) for network in networks]
net = nets[0]  # where one network is enough

# %% [markdown] slideshow={"slide_type": "skip"}
# 从现在起，一个网络就是四对权重和偏置。`run` 运行它：`weight_q`、`input_q` 是各层权重、各层输入的量化器，不给就不量化；`seen` 收集各层的输入。

# %% slideshow={"slide_type": "skip"}
STRIDES, NAMES = (1, 2, 2), ("conv1", "conv2", "conv3", "linear")


def run(net, x, weight_q=(None,) * 4, input_q=(None,) * 4, seen=None):
    for k, (w, b) in enumerate(net):
        x = x.flatten(1) if k == 3 else x
        if seen is not None:
            seen[k].append(x)
        x, w = input_q[k](x) if input_q[k] else x, weight_q[k](w) if weight_q[k] else w
        x = F.conv2d(x, w, b, STRIDES[k], padding=1).relu() if k < 3 else F.linear(x, w, b)
    return x

# %% slideshow={"slide_type": "skip"}
def accuracy(y, right=y_test):
    return (y.argmax(1) == right).double().mean().item()


def spread(values):
    mean, deviation = (100 * v for v in (torch.tensor(values).mean(), torch.tensor(values).std()))
    return f"{mean:5.1f} ± {deviation:.1f}"

# %% slideshow={"slide_type": "skip"}
in_float = [accuracy(run(n, x_test)) for n in nets]
print("accuracy on the test set, %:", "".join(f"{100 * a:7.2f}" for a in in_float))
print("mean ± standard deviation:  ", spread(in_float))
change = max((run(n, x_test) - network(x_test)).abs().max() for n, network in zip(nets, networks))
print("folding changes no output by more than 1e-4:", bool(change < 1e-4))
for name, (w, b) in zip(NAMES, net):
    print(f"{name:7} weight {tuple(w.shape)!s:16} {w.numel():5} values, bias {b.numel()}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 五个网络的准确率都超过 97%。权重一共一万五千多个，一半以上在 `conv3`。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 训练后量化
#
# [**训练后量化**](glossary.ipynb#量化)（post-training quantization，PTQ）不改变权重，只选量化器。
#
# **权重**是固定的，直接由权重定范围。用对称量化，逐张量，或者逐（输出）通道。
#
# **激活值**随输入而变，范围由[**校准**](glossary.ipynb#量化参数)（calibration）来定（见[静态范围与动态范围](03_params.ipynb)）。校准图片一批一批地来，我们试五种静态的办法：`minmax`，每批最大值的滑动平均，`percentile`，`mse`，`entropy`；再试逐行的动态范围，即每张图片现算一个。各层的输入都不是负数（图片本身，或者 ReLU 的输出），所以用非对称量化：范围从 0 开始，$z = q_{\min}$，编码一个也不浪费。

# %% slideshow={"slide_type": "skip"}
def weights_at(net, bits, **options):
    return [fit(w, bits, **options) for w, _ in net]


def layer_inputs(net):
    seen = [[] for _ in net]
    for part in x_cal.split(32):
        run(net, part, seen=seen)
    return seen


inputs = [layer_inputs(n) for n in nets]

# %% slideshow={"slide_type": "skip"}
def inputs_at(seen, bits, method):
    quantizers = []
    for parts in seen:
        largest = [part.max() for part in parts]
        average = largest[0]
        for new in largest[1:]:
            average = 0.9 * average + 0.1 * new
        fixed = {"minmax": max(largest), "moving average": average}
        x = fixed[method][None] if method in fixed else torch.cat(parts)
        how = "minmax" if method in fixed else method
        quantizers.append(fit(x, bits, symmetric=False, method=how))
    return quantizers

# %% slideshow={"slide_type": "skip"}
def dynamic(bits):
    return [lambda x: fit(x, bits, symmetric=False, axis=0)(x)] * 4

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 只量化权重，逐张量、`minmax`，到几位时准确率开始明显下降？改成逐通道，再改成 `mse`，2 位时各能救回多少？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先让学生写出自己认为还能用的最低位宽。

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
widths, float_points = range(8, 1, -1), 100 * torch.tensor(in_float).mean().item()
ways = {
    "per tensor": {}, "per channel": {"axis": 0}, "per tensor, mse": {"method": "mse"},
    "per channel, mse": {"axis": 0, "method": "mse"},
}
print("weights only     ", "".join(f"{b:8} bits" for b in (8, 6, 4, 3, 2)))
for name, options in progress(ways.items(), "weights"):
    row = [spread([accuracy(run(n, x_test, weights_at(n, b, **options))) for n in nets])
           for b in (8, 6, 4, 3, 2)]
    print(f"{name:17}", "".join(f"{values:>13}" for values in row))

# %% [markdown] slideshow={"slide_type": "notes"}
# 4 位以上几乎没有损失，3 位损失约 1 个百分点，到 2 位 `minmax` 就垮了。2 位对称用 `minmax` 时，步长等于最大的权重，大多数权重都舍入成 0。逐通道让每个通道的步长合身，`mse` 把步长减到合适的大小；两个一起用，从 24% 回到 92%。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 再看激活值。权重不量化，只量化各层的输入。
#
# **【预测】** 2 位时，激活值丢的准确率比权重多，还是少？六种办法里，哪一种最差？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 比较权重和激活值，谁更怕？多数人说激活值，理由是离群值；看了再说。

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
methods = ("minmax", "moving average", "percentile", "mse", "entropy", "dynamic, per row")
print("inputs only       ", "".join(f"{b:10} bits" for b in (8, 3, 2)))
for method in progress(methods, "inputs"):
    row = []
    for b in (8, 3, 2):
        found = [dynamic(b) if "dynamic" in method else inputs_at(s, b, method) for s in inputs]
        row.append(spread([accuracy(run(n, x_test, input_q=q)) for n, q in zip(nets, found)]))
    print(f"{method:18}", "".join(f"{values:>15}" for values in row))

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【思考】** 同样是 2 位、`minmax`，量化激活值比量化权重轻松得多，为什么？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生从 ReLU 的输出说起。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 激活值没有负数，非对称量化让 2 位的四个编码全部用上，0 还恰好是一个编码，而激活值里 0 很多。权重有正有负，对称量化只用到 $-1, 0, 1$ 三个编码，步长等于最大值。
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# 3 位以上，六种办法的差别小于标准差，分不出高下。2 位时 `minmax` 和滑动平均约差 1 个百分点；`percentile`、`mse` 和动态最好，可见对激活值做一点[**饱和截断**](glossary.ipynb#量化器与整数运算)（clipping，以下简称截断）是值得的。动态范围不要校准集，但每次都要先扫一遍数据；这个网络用不上。下面激活值都用 `mse`，注明 `minmax` 的除外。

# %% [markdown] slideshow={"slide_type": "skip"}
# 权重和激活值一起量化，画成图。竖线从五个网络中最差的画到最好的。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
both, styles = {}, {"per tensor": (RED, "o"), "per channel": (BLUE, "s"),
                    "per channel, mse": (GREEN, "^")}
input_q = {b: [inputs_at(s, b, "mse") for s in inputs] for b in widths}
for name in styles:
    both[name] = [[accuracy(run(n, x_test, weights_at(n, b, **ways[name]), q))
                   for n, q in zip(nets, input_q[b])] for b in widths]
curves = Sheet(1, height=3.8)
for j, (name, (color, marker)) in enumerate(styles.items()):
    at, points = [b + 0.06 * (j - 1) for b in widths], 100 * torch.tensor(both[name])
    curves.line(0, name, at, points.mean(1), color=color, marker=marker, markersize=6)
    for b, values in zip(at, points):
        ends = [values.min().item(), values.max().item()]
        curves.line(0, f"{name} {b}", [b, b], ends, color=color, linewidth=1, label="")

# %% tags=["fold"] slideshow={"slide_type": "subslide"}
curves.line(0, "float32", [2, 8], [float_points] * 2, color=GRAY, linestyle="--")
curves.frame(0, "weights and inputs quantized", "bit width b", "accuracy, %", (1.7, 8.3), (0, 102))
curves.legend(0, loc="lower right")
print("bits", "".join(f"{name:>19}" for name in styles))
for j, b in enumerate(widths):
    print(f"{b:4}", "".join(f"{spread(both[name][j]):>19}" for name in styles))
lowest = {f"two_{i}": spread(both[name][-1]).strip() for i, name in enumerate(styles)}
curves.show("network-bits", float=f"{float_points:.1f}", **lowest)

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先指出竖线是什么：五个种子中的最差到最好。只看平均数会上当。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【操作】** 下面是第一个网络。先写下预测，再动：
#
# 1. 权重从对称改成非对称，哪个位宽得益最多？
# 2. 右图是输出的 SQNR。每减少一位，输出的 SQNR 降多少？到 4 位时已经降了二十多分贝，准确率为什么几乎不变？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 每拖一位先预测准确率，看谁最先发现“悬崖”在几位。

# %%
def evaluate(bits, symmetric, granularity):
    options = {"axis": 0} if granularity == "per channel" else {}
    y_hat = run(net, x_test, weights_at(net, bits, symmetric=symmetric, **options),
                input_q[bits][0])
    return {"accuracy": accuracy(y_hat), "SQNR": sqnr_db(run(net, x_test), y_hat)}


explore.accuracy(evaluate, bits=8, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 1. 2 位得益最多：对称的 2 位只用三个编码，非对称用四个，步长减小到三分之二左右。
# 2. 大约 6 dB，和一个张量的规律一样。分类只看十个得分里哪一个最大，噪声只要小于第一名和第二名的差距，预测就不变。SQNR 是连续变化的，准确率却要等噪声大到与差距相当才开始下降，然后降得很快。所以准确率“没有变”不等于没有损失，只是余量还没有用完。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 哪一层、哪个通道最怕量化
#
# ### 逐层的敏感度
#
# 只量化一层（权重和输入），其余各层不动，量一量网络输出的噪声功率 $D_k$。各层都量化时，输出的总误差近似是各层单独造成的误差之和。若这些误差互不相关，平方的平均值里交叉项为 0，所以
#
# $$
# D \approx \sum_k D_k
# $$
# 〔[T2](06_summary.ipynb#公式总表)〕

# %% [markdown] slideshow={"slide_type": "notes"}
# 误差大到网络不能再看成线性时，这个式子就不准了。下表以输出的功率为单位。敏感度用来选位宽，所以在校准集上测。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 2 位时，四层里哪一层的 $D_k$ 最大？最后两列，即预测的和与实测的总噪声，相差多少？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 让各组选一层，记在黑板上，再看表。

# %% tags=["predict"] slideshow={"slide_type": "skip"}
def noise(net, y, weight_q, q):
    return ((run(net, x_cal, weight_q, q) - y).square().mean() / y.square().mean()).item()


def only(k, quantizers):
    return [q if i == k else None for i, q in enumerate(quantizers)]


weight_q = {b: [weights_at(n, b, axis=0, method="mse") for n in nets] for b in widths}
outputs = [run(n, x_cal) for n in nets]
D = [{(k, b): noise(n, y, only(k, weight_q[b][i]), only(k, input_q[b][i]))
      for k in range(4) for b in widths} for i, (n, y) in enumerate(zip(nets, outputs))]

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("mean of five networks, in units of the output's power")
print("bits", "".join(f"{name:>10}" for name in NAMES), "  sum, predicted   all, measured")
for b in widths:
    each = [sum(d[k, b] for d in D) / 5 for k in range(4)]
    whole = sum(noise(n, y, weight_q[b][i], input_q[b][i])
                for i, (n, y) in enumerate(zip(nets, outputs))) / 5
    print(f"{b:4}", "".join(f"{v:10.5f}" for v in each), f"{sum(each):16.5f} {whole:15.5f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 预测和实测在每个位宽都是同样的量级，3 位时差得最多，实测多了一半：误差之间有一点相关。作为选位宽的依据，这已经够用。
#
# 到 5 位为止，每少一位，每层的 $D_k$ 大约变成四倍，这是 6.02 dB 的规律；再往下倍数大多更大，最大约 14 倍（`conv2` 从 3 位到 2 位）。2 位时后两层最敏感；可是 `conv1` 只有 144 个权重，多给它几位几乎不花字节。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 在预算以内选位宽
#
# 于是有了[**混合精度**](glossary.ipynb#量化)（mixed precision）：第 $k$ 层有 $N_k$ 个权重，取 $b_k$ 位，在权重的总位数 $\sum_k N_k b_k$ 不超过预算的条件下，使 $\sum_k D_k(b_k)$ 最小。四层、七种位宽，一共 $7^4 = 2401$ 种，全部试一遍。试的时候只用表里的 $D_k$，不必再运行网络。
#
# **【预测】** 预算是平均每个权重 2.25 位。多出来的 0.25 位会给哪几层？准确率能比全部 2 位高多少？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生先自己分配剩下的位，再看算法怎样分。

# %%
exercises.predict("spare-bits")

# %% slideshow={"slide_type": "skip"}
counts = [w.numel() for w, _ in net]


def bits_per_weight(widths_of):
    return sum(n * b for n, b in zip(counts, widths_of)) / sum(counts)

# %% slideshow={"slide_type": "skip"}
def best_widths(d, budget):
    choices = itertools.product(range(2, 9), repeat=4)
    fits = (c for c in choices if bits_per_weight(c) <= budget)
    return min(fits, key=lambda c: sum(d[k, b] for k, b in enumerate(c)))


def mixed(i, chosen):
    quantizers = ([found[b][i][k] for k, b in enumerate(chosen)] for found in (weight_q, input_q))
    return accuracy(run(nets[i], x_test, *quantizers))

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("budget   widths of network 0   bits/weight   accuracy, five networks")
mixed_results = {}
for budget in (2, 2.25, 2.5, 3):
    chosen = [best_widths(d, budget) for d in D]
    mixed_results[budget] = chosen, [mixed(i, c) for i, c in enumerate(chosen)]
    used, found = bits_per_weight(chosen[0]), spread(mixed_results[budget][1])
    print(f"{budget:6} {chosen[0]!s:>21} {used:13.2f}   {found}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 平均只多 0.25 位，准确率就找回来一大半。在第 0 个网络里，算法把位数给了两层小的：`conv1` 用 8 位，`linear` 用 4 位，两个大的卷积层仍是 2 位。这和常见的经验“第一层和最后一层保留高精度”一致，而我们知道原因：这两层的 $D_k / N_k$ 大，花同样的位数，降下来的噪声最多。平均 2.5 位时，准确率已经赶上每层 3 位。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 离群的通道
#
# 逐张量时，一层的步长由最大的那个通道决定。把每个通道的最大绝对值除以这一层的中位数，看有没有特别突出的。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 找出最突出的一个通道，估计它让其余通道损失几位。

# %% tags=["fold"]
sheet, start, worst_of = Sheet(1, height=3.4), 0, {}
for k, color in enumerate((BLUE, GREEN, PURPLE, SKY)):
    peaks = net[k][0].flatten(1).abs().amax(1)
    ratio = peaks / peaks.median()
    worst_of[k] = ratio.argmax().item(), ratio.max().item()
    at = torch.arange(start, start + len(peaks))
    sheet.points(0, NAMES[k], at, ratio, color=color, marker="o", markersize=5)
    sheet.line(0, f"worst {k}", [at[worst_of[k][0]]] * 2, [0, worst_of[k][1]], color=RED, label="")
    start += len(peaks) + 3
words_of = "the largest weight of each channel", "channel", "max |w| / median"
sheet.frame(0, *words_of, (-2, start), (0, 2.2), xticks=[])
sheet.legend(0)
for k, (channel, ratio) in worst_of.items():
    print(f"{NAMES[k]:7} channel {channel:2}: {ratio:.2f} times the median of its layer")
sheet.show("network-channels", **{f"ratio_{k}": f"{r:.2f}" for k, (_, r) in worst_of.items()})

# %% [markdown] slideshow={"slide_type": "subslide"}
# 最突出的是 `conv1` 的一个通道，约为中位数的 1.9 倍。离群的通道使同一层其余的通道损失多少？逐张量与逐通道相比，步长之比就是最大值之比。记第 $j$ 个通道的权重为 $w_j$，这个通道损失
#
# $$
# 20 \log_{10} \frac{\max \lvert w \rvert}{\max \lvert w_j \rvert} \text{ dB}
# $$
# 〔[T3](06_summary.ipynb#公式总表)〕

# %% slideshow={"slide_type": "fragment"}
print("8 bits, mean over the channels of a layer: lost per tensor, dB")
for name, (w, _) in zip(NAMES, net):
    peaks = w.flatten(1).abs().amax(1)
    predicted = 20 * torch.log10(peaks.max() / peaks)
    one, each = fit(w, 8)(w), fit(w, 8, axis=0)(w)
    lost = [sqnr_db(*pair) - sqnr_db(t, t_hat) for *pair, t, t_hat in zip(w, each, w, one)]
    print(f"{name:7} predicted {predicted.mean():5.2f}   measured {sum(lost) / len(lost):5.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 这个网络的离群通道很温和。大语言模型里，个别通道的激活值可达其他通道的 20 倍（[Dettmers 等，2022](references.ipynb)）。我们可以造一个出来看看：$\lambda > 0$ 时，ReLU 满足 $\operatorname{ReLU}(\lambda x) = \lambda\operatorname{ReLU}(x)$。所以把 `conv1` 一个通道的权重和偏置乘以 $\lambda$，再把 `conv2` 里与这个通道相乘的权重除以 $\lambda$，网络的浮点输出完全不变。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 浮点输出不变，4 位量化的结果呢？权重改成逐通道，能不能全部救回来？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 浮点输出一点不变，量化以后呢？先表决。

# %%
exercises.predict("grown-channel")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
def scaled(net, factor, channel=worst_of[0][0]):
    (w1, b1), (w2, b2), *rest = net
    grown = torch.ones_like(b1)
    grown[channel] = factor
    return [(w1 * grown[:, None, None, None], b1 * grown),
            (w2 / grown[:, None, None], b2), *rest]


print("4 bits; accuracy, %     float   weights per tensor   weights per channel   inputs only")
for factor in (1, 4, 16, 64):
    other = scaled(net, factor)
    ways_4 = [()] + [(weights_at(other, 4, **o),) for o in ({}, {"axis": 0})]
    ways_4 += [((None,) * 4, inputs_at(layer_inputs(other), 4, "minmax"))]
    row = [100 * accuracy(run(other, x_test, *way)) for way in ways_4]
    print("factor {:2} {:20.1f} {:20.1f} {:21.1f} {:13.1f}".format(factor, *row))

# %% [markdown] slideshow={"slide_type": "notes"}
# 函数完全相同，权重逐张量量化以后，准确率却跌到和瞎猜一样。逐通道可以救回权重，但是 `conv2` 的输入也有了一个离群通道，而输入是逐张量的：沿求和的方向不能有不同的缩放因子（见[只用整数](04b_integer.ipynb)一章）。
#
# 反过来用，就是治病的办法：量化之前先用同样的等价变换，把通道之间的大小拉平。卷积网络里这叫**跨层均衡**（cross-layer equalization，[Nagel 等，2019](references.ipynb)），大语言模型的 SmoothQuant（[Xiao 等，2023](references.ipynb)）也是这个想法。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 量化感知训练
#
# 全部 2 位时，训练后量化丢了十几个百分点。[**量化感知训练**](glossary.ipynb#量化)（quantization-aware training，QAT）让权重在量化的条件下再学几轮：前向用伪量化，反向用**直通估计器**（straight-through estimator，STE），两件事都由 `UniformQuantizer.forward` 来做（见[均匀量化器](04_quantizer.ipynb)）。从训练好的权重出发，范围用校准时定下的，不再改变；学习率逐渐减到 0，取最后一步的权重，不在测试集上挑选。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 猜能找回几成，写下来。问：这些准确率是从哪里来的？

# %% [markdown]
# **【预测】** 五轮训练，丢掉的准确率能找回几成？

# %% slideshow={"slide_type": "skip"}
def qat(net, weight_q, input_q, seed):
    flat = [t.clone().requires_grad_() for pair in net for t in pair]
    pairs = list(zip(flat[::2], flat[1::2]))
    train(lambda x: run(pairs, x, weight_q, input_q), flat, seed, 5, 0.03)
    return [(w.detach(), b.detach()) for w, b in pairs]


tuned = [qat(n, weight_q[2][i], input_q[2][i], i) for i, n in enumerate(progress(nets, "QAT"))]

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
two_bits = [[accuracy(run(n, x_test, weight_q[2][i], input_q[2][i])) for i, n in enumerate(group)]
            for group in (nets, tuned)]
print("seed   float    PTQ    QAT   of the loss, won back")
for seed, (f, before, after) in enumerate(zip(in_float, *two_bits)):
    won = (after - before) / (f - before)
    print(f"{seed:4} {f:7.1%} {before:6.1%} {after:6.1%} {won:10.0%}")
print("mean", *(spread(v) for v in (in_float, *two_bits)), sep="   ")

# %% [markdown] slideshow={"slide_type": "notes"}
# 五个种子都找回了一半以上，平均八成；标准差也从约 4 个百分点降到不足 1 个，因为训练把运气不好的网络也拉了回来。代价是要有训练数据，要再训练一次。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 让步长也学习 ★
#
# 这一小节可以略过。结论是：范围定得差时，学习步长有帮助；范围已经由 `mse` 定好时，学不学都一样。
#
# LSQ（[Esser 等，2020](references.ipynb)）把每个步长也当作参数，梯度公式见[均匀量化器](04_quantizer.ipynb)一章。照论文，步长的梯度再乘 $1/\sqrt{N q_{\max}}$，$N$ 是共用这个步长的数的个数，使步长不至于走得比权重快太多。

# %% slideshow={"slide_type": "skip"}
def learned(x, s, p, share):
    low, high = (q - p.zero_point.max().item() for q in (p.qmin, p.qmax))
    small = (share * high) ** -0.5
    s = s * small + (s - s * small).detach()  # the same value, a smaller gradient
    s = s if p.axis is None else s.view(-1, *[1] * (x.dim() - 1))
    u = x / s
    r = u + (torch.round(u) - u).detach()  # rint, with slope 1
    return s * r.clamp(low, high)

# %% slideshow={"slide_type": "skip"}
def lsq(net, weight_q, input_q, seed):
    params = [q.params for q in (*weight_q, *input_q)]
    values = [t for pair in net for t in pair] + [p.scale for p in params]
    values = [v.clone().requires_grad_() for v in values]
    pairs, steps = list(zip(values[:8:2], values[1:8:2])), values[8:]
    shares = [w[0].numel() for w, _ in net] + [64, 1024, 512, 128]  # inputs: of one picture

    def output(x):
        learn = [lambda t, at=at: learned(t, *at) for at in zip(steps, params, shares)]
        return run(pairs, x, learn[:4], learn[4:])

    train(output, values, seed, 5, 0.03)
    return accuracy(output(x_test))

# %% slideshow={"slide_type": "skip"}
plain = [weights_at(n, 2, axis=0) for n in nets], [inputs_at(s, 2, "minmax") for s in inputs]
starts = {"minmax": plain, "mse": (weight_q[2], input_q[2])}
print("2 bits   before training   QAT, steps fixed   LSQ, steps learned")
for name, (ws, xs) in progress(starts.items(), "LSQ"):
    rows = list(zip(nets, ws, xs, range(5)))
    before = [accuracy(run(n, x_test, w, q)) for n, w, q, _ in rows]
    fixed = tuned if name == "mse" else [qat(*row) for row in rows]
    fixed = [accuracy(run(n, x_test, w, q)) for n, (_, w, q, _) in zip(fixed, rows)]
    learned_too = [lsq(*row) for row in rows]
    print(f"{name:8}", "".join(f"{spread(v):>18}" for v in (before, fixed, learned_too)), end="")
    print(f"{sum(b > a for a, b in zip(fixed, learned_too)):9} of 5 better")

# %% [markdown] slideshow={"slide_type": "skip"}
# 从 `minmax` 出发，五个种子的准确率都因学习步长而提高，平均一个多百分点；从 `mse` 出发，两种做法的差别小于标准差。步长学不学不是关键，出发点才是。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 只用整数运行
#
# 到现在为止，网络里流动的还是浮点数。这一节把[只用整数](04b_integer.ipynb)一章的做法用到整个网络：输入是 int8 编码，输出是 int8 编码，中间没有一个浮点数。卷积还要补上两件事。
#
# **卷积是矩阵乘法。** 把输入的每个 3×3 窗口（所有通道一起）摊成一行，卷积核也摊成一列，卷积就成了矩阵乘法。这个办法叫 im2col。
#
# **填充要用零点。** 卷积的边缘要填充 0。在编码的世界里，0 的编码是 $z$，所以填充的值是 $z$，不是整数 0。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 这里的输入 $z = -128$。如果填充了整数 0，编码 0 代表的值是 $s$ 的几倍？相当于给图片镶了一圈什么？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 填充应当用哪个编码？答 0 的最多，这正是常见的错误。

# %%
exercises.predict("border-value")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 编码 0 代表 $s\,(0 + 128)$，大约是范围的正中间：图片周围镶了一圈灰边。卷积核会在边上看到并不存在的笔画。
#
# </details>

# %% slideshow={"slide_type": "skip"}
def columns(q, stride, z):
    q = F.pad(q, (1, 1, 1, 1), value=z)
    windows = q.unfold(2, 3, stride).unfold(3, 3, stride)  # (N, C, H, W, 3, 3)
    return windows.permute(0, 2, 3, 1, 4, 5).flatten(3)  # (N, H, W, 9 C)


def integer_layer(q, k, w, bias, m, n, z_in, out, pad=None):
    q = columns(q, STRIDES[k], z_in if pad is None else pad) if k < 3 else q.flatten(1)
    acc = (q.int() - z_in) @ w + bias  # int32
    q = out.zero_point.long() + requantize(acc.long(), m, n)
    return q.clamp(out.qmin, out.qmax).to(out.dtype).movedim(-1, 1)

# %% [markdown] slideshow={"slide_type": "skip"}
# 部署之前算好每一层的整数：权重的编码，int32 的偏置，每个输出通道的 $m$ 和 $n$。权重是对称的，四项之和里只剩两项，也就是 $(q_1 - z_1)\,q_2$。三个卷积层的输出从 0 开始，$z_3 = q_{\min}$，最后的截断就是 ReLU。

# %% slideshow={"slide_type": "skip"}
def prepared(net, weight_q, input_q, output_q):
    layers = []
    for (w, b), wq, q_in, q_out in zip(net, weight_q, input_q, [*input_q[1:], output_q]):
        scale = q_in.params.scale * wq.params.scale  # one for each output channel
        m, n = fixed_point_multiplier(scale / q_out.params.scale)
        codes, bias = wq.quantize(w).flatten(1).int().T, torch.round(b / scale).int()
        layers.append((codes, bias, m, n, q_in.params.zero_point.item(), q_out.params))
    return layers


def run_integer(layers, q, pad=None):
    for k, layer in enumerate(layers):
        q = integer_layer(q, k, *layer, pad)
        assert not q.is_floating_point()
    return q

# %% [markdown] slideshow={"slide_type": "skip"}
# 先拿第一层对一对：整数的卷积和 float64 的卷积（作用在同样的整数上）应当一个不差。

# %% slideshow={"slide_type": "skip"}
bits_8 = [weights_at(net, 8, axis=0), inputs_at(inputs[0], 8, "mse")]
layer_8 = prepared(net, *bits_8, fit(outputs[0], 8, symmetric=False))
codes_in = bits_8[1][0].quantize(x_test)
w_codes = bits_8[0][0].quantize(net[0][0])
acc = (columns(codes_in, 1, -128).int() + 128) @ layer_8[0][0]
exact = F.conv2d(codes_in.double() + 128, w_codes.double(), padding=1)
print("zero points of the inputs:", [layer[4] for layer in layer_8])
print("the two convolutions are equal:", torch.equal(acc.movedim(-1, 1).double(), exact))
print(f"largest sum {acc.abs().max().item():,}; int32 holds {2**31 - 1:,}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 整数网络的预测，有百分之几和伪量化的网络相同？如果有不同，原因在哪里？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 不同的那一点从哪里来？请学生列出三处。

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("bits   same predictions: per network, %        accuracy: fake     integer")
for b in (8, 4):
    same, fake, whole = [], [], []
    for n, seen, y in zip(nets, inputs, outputs):
        fitted_q = weights_at(n, b, axis=0, method="mse"), inputs_at(seen, b, "mse")
        integers = prepared(n, *fitted_q, fit(y, 8, symmetric=False))
        q_out = run_integer(integers, fitted_q[1][0].quantize(x_test))
        y_fake = run(n, x_test, *fitted_q)
        same.append((q_out.argmax(1) == y_fake.argmax(1)).double().mean().item())
        fake.append(accuracy(y_fake)), whole.append(accuracy(q_out))
    row = "".join(f"{100 * v:7.2f}" for v in same)
    print(f"{b:4} {row} {spread(fake):>18} {spread(whole):>12}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 两种位宽都在 99% 以上。不同之处有三个来源：偏置舍入成整数；重新量化舍入两次（见[只用整数](04b_integer.ipynb)一章）；输出也量化成 8 位编码，两个很接近的得分可能成了同一个编码，谁排在前面就选谁。验证一下第三种：

# %% slideshow={"slide_type": "skip"}
quantizers = weights_at(net, 8, axis=0, method="mse"), inputs_at(inputs[0], 8, "mse")
q_last = fit(outputs[0], 8, symmetric=False)
layers = prepared(net, *quantizers, q_last)
q_out = run_integer(layers, quantizers[1][0].quantize(x_test))
y_fake = run(net, x_test, *quantizers)
off = (q_last.quantize(y_fake).int() - q_out.int()).abs()
top = q_out.topk(2, dim=1).values
print(f"output codes that differ: {(off > 0).double().mean():.2%}, by at most {off.max()}")
print("pictures whose two best scores have one code:", (top[:, 0] == top[:, 1]).sum().item())
wrong = run_integer(layers, quantizers[1][0].quantize(x_test), pad=0)
print(f"accuracy {accuracy(q_out):.1%}; padded with 0 instead of z: {accuracy(wrong):.1%}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 输出的编码最多差 1。前两名的得分落在同一个编码上时，差 1 就足以改变预测，这里只有一张图片会这样。边界填错，害处大得多：用整数 0 来填，准确率掉约 3 个百分点。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6 存成文件
#
# 编码存成 safetensors 文件。这种格式只放张量，不像 pickle 那样打开时会执行程序。文件由三部分组成：8 个字节写明文件头的长度，一段 JSON 文件头（名称、形状、位置），然后是数据。
#
# **【计算】** 4 位、逐通道。权重每两个打包成一个字节，每个输出通道一个 float32 的 $s$ 和一个 float32 的偏置，每层的输入再有一个 $s$（4 字节）和一个 $z$（1 字节）。数据部分一共多少字节？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先算再看，一字节都不能差。

# %%
exercises.predict("int4-bytes")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 权重 $144 + 4608 + 9216 + 1280 = 15248$ 个，打包成 7624 字节。输出通道 $16 + 32 + 32 + 10 = 90$ 个，每个 8 字节，共 720 字节。四层的输入共 20 字节。合计 8364 字节。
#
# 一般地，第 $k$ 层有 $N_k$ 个权重，$b_k$ 位，$C_k$ 个输出通道，共
#
# $$
# \sum_k \left(\left\lceil \frac{N_k b_k}{8} \right\rceil + 8\,C_k + 5\right) \text{ bytes}
# $$
# 〔[T4](06_summary.ipynb#公式总表)〕
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "skip"}
quantizers_4 = weights_at(net, 4, axis=0, method="mse"), inputs_at(inputs[0], 4, "mse")
data = {}
for name, (w, b), wq, xq in zip(NAMES, net, *quantizers_4):
    data |= {
        f"{name}.weight": pack_int4(wq.quantize(w)), f"{name}.scale": wq.params.scale.float(),
        f"{name}.bias": b.float(), f"{name}.input_scale": xq.params.scale.float(),
        f"{name}.input_zero": xq.params.zero_point.to(torch.int8),
    }
channels = sum(len(b) for _, b in net)
bytes_predicted = sum(math.ceil(n / 2) for n in counts) + channels * (4 + 4) + 4 * (4 + 1)
folder = Path(tempfile.mkdtemp())
save_file(data, folder / "int4.safetensors")
save_file({f"{name}.{part}": t.float() for name, pair in zip(NAMES, net)
           for part, t in zip(("weight", "bias"), pair)}, folder / "float32.safetensors")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
def file_sizes(path):
    head = int.from_bytes(path.read_bytes()[:8], "little")
    return path.stat().st_size, 8 + head, path.stat().st_size - 8 - head


print("file                   bytes   header     data   data, predicted")
for name, expected in (("float32", 4 * (sum(counts) + channels)), ("int4", bytes_predicted)):
    sizes = file_sizes(folder / f"{name}.safetensors")
    print(f"{name:15} {sizes[0]:12,} {sizes[1]:8,} {sizes[2]:8,} {expected:17,}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 数据部分与预测一字节不差。整个文件只有原来的六分之一左右，不是八分之一：缩放因子和偏置还是 float32，文件头对这么小的网络也不可忽略。

# %% [markdown] slideshow={"slide_type": "skip"}
# 存得进去，还要读得回来：

# %% slideshow={"slide_type": "skip"}
loaded = []
with safe_open(folder / "int4.safetensors", framework="pt") as file:
    for name, (w, _), wq in zip(NAMES, net, quantizers_4[0]):
        codes = unpack_int4(file.get_tensor(f"{name}.weight"), tuple(w.shape))
        scale = file.get_tensor(f"{name}.scale").double().view(-1, *[1] * (w.dim() - 1))
        loaded.append((scale * codes, file.get_tensor(f"{name}.bias").double()))
        assert torch.equal(codes, wq.quantize(w))
y_4, y_loaded = (run(n, x_test, *q) for n, q in
                 ((net, quantizers_4), (loaded, ((None,) * 4, quantizers_4[1]))))
print("the codes are equal; the same predictions:", torch.equal(y_4.argmax(1), y_loaded.argmax(1)))
print(f"outputs differ by the rounding of the scales to float32: {sqnr_db(y_4, y_loaded):.0f} dB")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7 速度
#
# 到这里为止，运行的都是教学用的代码，不比浮点数快。要知道 8 位在这台电脑上值多少，得用带有 8 位算子的程序。我们把同一个网络写成 ONNX 文件，交给 onnxruntime：一份是 float32；另一份在每层前后插入 QuantizeLinear 和 DequantizeLinear（合称 QDQ），onnxruntime 读到以后，会把它们和卷积合并成 8 位的算子。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 表决：哪一种最快？把票数写下来，再看时间。

# %% [markdown] slideshow={"slide_type": "notes"}
# 激活值改用 uint8：编码和零点都加上 128，代表的值不变。这样可以走上“无符号乘有符号”的快路（见[只用整数](04b_integer.ipynb)一章）。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
class Graph:
    def __init__(self):
        self.nodes, self.stored = [], []

    def keep(self, t):
        from onnx import numpy_helper

        self.stored.append(numpy_helper.from_array(t.contiguous().numpy(), f"c{len(self.stored)}"))
        return self.stored[-1].name

    def add(self, op, *inputs, **attributes):
        from onnx import helper

        self.nodes.append(helper.make_node(op, inputs, [f"t{len(self.nodes)}"], **attributes))
        return self.nodes[-1].output[0]

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def session(graph, last):
    from onnx import TensorProto, helper
    from onnxruntime import InferenceSession, SessionOptions

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("x", last))
    whole = helper.make_graph(graph.nodes, "digits", [x], [y], graph.stored)
    opset = [helper.make_opsetid("", 13)]
    model, options = helper.make_model(whole, opset_imports=opset, ir_version=8), SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    runner = InferenceSession(model.SerializeToString(), options)
    return lambda x: torch.from_numpy(runner.run(None, {"x": x.numpy()})[0])

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def in_onnx(net, weight_q=None, input_q=None, output_q=None):
    graph, last = Graph(), "x"
    for k, (w, b) in enumerate(net):
        if weight_q:
            last = both_ways(graph, last, input_q[k].params)
            w, b = stored_codes(graph, w, b, weight_q[k], input_q[k].params.scale)
        else:
            w, b = graph.keep(w.float()), graph.keep(b.float())
        more = {"transB": 1} if k == 3 else {"pads": [1] * 4, "strides": [STRIDES[k]] * 2}
        if k == 3:  # between two pairs, so that the operators on both sides become int8
            last = graph.add("Flatten", last)
            last = both_ways(graph, last, input_q[k].params) if weight_q else last
        last = graph.add("Gemm" if k == 3 else "Conv", last, w, b, **more)
        last = last if k == 3 else graph.add("Relu", last)
    return session(graph, both_ways(graph, last, output_q.params) if weight_q else last)

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def both_ways(graph, x, p):
    zero = (p.zero_point + 128).to(torch.uint8)
    ends = graph.keep(p.scale.float()), graph.keep(zero)
    return graph.add("DequantizeLinear", graph.add("QuantizeLinear", x, *ends), *ends)


def stored_codes(graph, w, b, wq, s):
    found = []
    for q, scale in ((wq.quantize(w), wq.params.scale), (None, s * wq.params.scale)):
        q = torch.round(b / scale).int() if q is None else q
        zeros = torch.zeros(len(scale), dtype=q.dtype)
        ends = graph.keep(scale.float()), graph.keep(zeros)
        found.append(graph.add("DequantizeLinear", graph.keep(q), *ends, axis=0))
    return found

# %% [markdown] slideshow={"slide_type": "skip"}
# **【思考】** 图片的像素是 $0, \tfrac1{16}, \dots, 1$，输入的 $s = \tfrac1{255}$。onnxruntime 用 float32 量化输入，我们前面用 float64。哪一种像素的编码可能不同？
#
# <details><summary>参考答案</summary>
#
# 像素 $\tfrac12$：$\tfrac12 \cdot 255 = 127\tfrac12$，恰好是半整数。$\tfrac1{255}$ 在两种精度里舍入得不一样，商就可能落在半整数的两边。
#
# </details>
#
# 所以比较时，先用 float32 量化图片，再交给我们的整数网络，两边的输入编码就相同了。容差定为：float32 的输出相差不到 $10^{-4}$；8 位的输出编码相差不超过 2，预测相同的图片不少于 99%。

# %% slideshow={"slide_type": "skip"}
pictures_32, q_first = x_test.float(), quantizers[1][0]
codes_32 = q_first.quantize(pictures_32)
other_half = codes_32 != q_first.quantize(x_test)
print(f"input codes that differ: {other_half.double().mean():.1%}, pixels", end=" ")
print(x_test[other_half].unique().tolist())

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "skip"}
# Belongs to the version of onnxruntime and to the processor, so this output is not compared.
ours, ort_float, ort_int8 = run_integer(layers, codes_32), None, None
try:
    ort_float, ort_int8 = in_onnx(net), in_onnx(net, *quantizers, q_last)
    y_32, y_8 = ort_float(pictures_32), ort_int8(pictures_32)
    apart, same = (q_last.quantize(y_8.double()).int() - ours.int()).abs(), y_8.argmax(1)
    print(f"float32: largest difference {(y_32 - run(net, x_test)).abs().max():.1e}")
    print(f"int8: codes that differ {(apart > 0).double().mean():.1%}, by at most {apart.max()};",
          f"same predictions {(same == ours.argmax(1)).double().mean():.1%}")
except ImportError as error:
    print(error)

# %% [markdown] slideshow={"slide_type": "skip"}
# 其余的差别来自重新量化：onnxruntime 用浮点数乘 $M$，只舍入一次（见[只用整数](04b_integer.ipynb)一章）。
#
# 结果在容差以内，就可以比速度了。`simulated` 是我们的伪量化网络，`for teaching` 是第 5 节的代码。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def milliseconds(function, *inputs):
    function(*inputs)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        function(*inputs)
        times.append(time.perf_counter() - start)
    return min(times) * 1000  # the least: the rest is what else the machine did

# %% tags=["fold"] slideshow={"slide_type": "skip"}
net_32 = [(w.float(), b.float()) for w, b in net]
runs = {
    "torch, float32": (run, net_32, pictures_32),
    "simulated int8 (fake-quantize)": (run, net_32, pictures_32, *quantizers),
    "integers, for teaching": (run_integer, layers, quantizers[1][0].quantize(x_test)),
}
if ort_int8:
    runs |= {"onnxruntime, float32": (ort_float, pictures_32),
             "onnxruntime, int8 (QDQ)": (ort_int8, pictures_32)}

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Times belong to the machine, so this output is not compared.
print(f"{len(x_test)} pictures, {torch.get_num_threads()} thread(s)")
for name, (function, *arguments) in progress(runs.items(), "timing"):
    print(f"{name:32} {milliseconds(function, *arguments):8.2f} ms")

# %% [markdown] slideshow={"slide_type": "notes"}
# 伪量化和教学用的整数代码都比浮点慢，这是意料之中的。真正能比的是最后两行：同一个程序、同一台电脑、同样的图片。在生成这一页的电脑（有 VNNI 指令集）上，8 位没有变快，反而略慢。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 为什么没有变快？单独测几个卷积：网络的第一层（1 个输入通道），16 个通道，64 个、128 个通道。8 位各快几倍？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 从字节和乘法的次数两方面想。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def one_convolution(from_channels, to_channels, count, side):
    """Milliseconds in onnxruntime, float32 and int8."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(count, from_channels, side, side, generator=generator)
    w = torch.randn(to_channels, from_channels, 3, 3, generator=generator)
    pair = [(w / (9 * from_channels) ** 0.5, torch.zeros(to_channels))]
    y = F.conv2d(x, *pair[0], padding=1).relu()
    fitted = [fit(pair[0][0], 8, axis=0)], [fit(x, 8, symmetric=False)]
    forms = in_onnx(pair), in_onnx(pair, *fitted, fit(y, 8, symmetric=False))
    return [milliseconds(form, x) for form in forms]

# %% tags=["predict", "nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Times belong to the machine, so this output is not compared.
print("one 3x3 convolution                     float32        int8    faster")
for shape in ((1, 16, 449, 8), (16, 32, 449, 8), (64, 64, 8, 16), (128, 128, 8, 16)):
    if ort_int8:
        float_ms, int8_ms = one_convolution(*shape)
        name = "{:3} -> {:3} channels, {} of {}x{}".format(*shape, shape[3])
        print(f"{name:36} {float_ms:7.2f} ms {int8_ms:8.2f} ms {float_ms / int8_ms:8.1f}x")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 第一层拖了后腿。只有 1 个输入通道时，每个输出只是 9 个乘积之和，量化、把窗口摊平这些额外的工作反而占了大头，8 位比浮点慢几倍。通道越多，乘法占的比例越大，8 位就越快。在生成这一页的电脑上，16 个输入通道时快约两倍，128 个时快三倍多。
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# 所以不能从位宽推算速度。第一层量化不划算，这也是许多人让第一层保持浮点的原因之一。换一台没有 8 位乘加指令的电脑，结果又不同。速度只能在目标机器上，用目标程序、目标大小的层来实测。

# %% [markdown] slideshow={"slide_type": "notes"}
# 要部署自己的模型，该去哪里？下表列出几个常用的程序，以及它们替你定下了什么：

# %% [markdown] slideshow={"slide_type": "notes"}
# | 程序 | 用在哪里 | 范围 | 对称与否 | 粒度 | 舍入 |
# |:--|:--|:--|:--|:--|:--|
# | onnxruntime | CPU 为主，跨平台 | 激活值静态（默认 `minmax` 校准）或动态 | 默认激活值非对称，权重对称，都是 int8；有 VNNI 的处理器宜把激活值改成 uint8 | 默认逐张量，权重可改逐通道 | 半整数取偶数（ONNX 规范） |
# | torchao | PyTorch 里的大模型 | 激活值动态 | 8 位默认都对称；4 位权重有对称的，也有非对称的 | 激活值逐行（词元）；权重 8 位逐通道，4 位逐组 | 取偶数（`torch.round`） |
# | TensorRT | NVIDIA 的 GPU | 校准，或取自 QDQ | 只有对称，$z = 0$ | 激活值逐张量，权重可逐通道 | 取偶数 |
# | llama.cpp | 大语言模型，CPU 与 GPU | 权重由权重定；激活值动态 | Q4_0、Q8_0 只存 $s$，Q4_1 还存最小值 | 每 32 个一组 | 各格式不同，Q4_0 是加 8.5 再截尾 |

# %% [markdown] slideshow={"slide_type": "notes"}
# 各家的默认值随版本而变，以手边的文档为准。看文档时就问这四个问题：范围从哪里来，是否对称，多少个数共用一个 $s$，半整数怎样舍入。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8 准确率与字节
#
# 把这一章的所有方案画在一张图上：横轴是数据部分的字节数（缩放因子、偏置都算在内），纵轴是五个网络的准确率，竖线从最差到最好。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 从右往左读：哪几步白得，哪几步要付钱？

# %% slideshow={"slide_type": "skip"}
def data_bytes(widths_of, per_channel=True):
    weights = sum(math.ceil(n * b / 8) for n, b in zip(counts, widths_of))
    scales = channels if per_channel else len(counts)
    return weights + 4 * (scales + channels) + 5 * len(counts)

# %% slideshow={"slide_type": "skip"}
variants = {"float32": (4 * (sum(counts) + channels), in_float)}
for name, short in {
    "per channel, mse": "C", "per channel": "C minmax", "per tensor": "T minmax"
}.items():
    for b in (8, 4, 3, 2) if short == "C" else (2,):
        size = data_bytes([b] * 4, name != "per tensor")
        variants[f"{b} {short}"] = size, both[name][8 - b]
for budget in (2.25, 2.5):
    chosen, found = mixed_results[budget]
    variants[f"mixed {budget}"] = data_bytes(chosen[0]), found
variants["2 QAT"] = data_bytes([2] * 4), two_bits[1]

# %% tags=["fold"] slideshow={"slide_type": "skip"}
plane, below = Sheet(2, height=4.4), ("mixed 2.25", "3 C", "2 C")
colors = {"float32": INK, "mixed": ORANGE, "2 QAT": BLUE, "2 T minmax": RED, "2 C minmax": PURPLE}
print(f"{'':12} {'bytes':>7} {'smaller':>8}   accuracy, %")
for name, (size, found) in variants.items():
    points = 100 * torch.tensor(found)
    mean, low, high = (v.item() for v in (points.mean(), points.min(), points.max()))
    look = {"color": colors.get(name, colors.get(name.split()[0], GREEN))}
    panel = 1 if mean > 90 else 0
    for i in {0, panel}:
        plane.line(i, f"{name} spread", [size] * 2, [low, high], linewidth=1, **look)
        plane.points(i, name, [size], [mean], marker="o", markersize=7, **look)
    left, va = name in ("mixed 2.5", "float32", "2 QAT"), "top" if name in below else "bottom"
    place = look | {"ha": "right" if left else "left", "va": va}
    plane.text(panel, f"{name} text", size * (0.97 if left else 1.04), mean, name, **place)
    print(f"{name:12} {size:7,} {4 * (sum(counts) + channels) / size:7.1f}x   {spread(found)}")

# %% tags=["fold"]
ticks = [4000, 8000, 16000, 32000, 64000]
ends = {"xscale": "log", "xticks": ticks, "xticklabels": [f"{t:,}" for t in ticks]}
for i, (title, low) in enumerate((("all of them", 0), ("above 90%", 90))):
    across = (2300, 90_000), (low, 100 + (100 - low) / 25)
    plane.frame(i, title, "bytes", "accuracy, %", *across, **ends)
    plane.axes[i].minorticks_off()
named = "float32", "4 C", "2 T minmax", "2 QAT"
told = {name: spread(variants[name][1]).strip() for name in named}
told |= {f"{name} bytes": f"{variants[name][0]:,}" for name in named}
plane.show("network-summary", **{key.replace(" ", "_"): value for key, value in told.items()})

# %% [markdown] slideshow={"slide_type": "notes"}
# 名称的第一个数字是位宽；T 是逐张量，C 是逐通道；权重的范围由 `mse` 选定，注明 minmax 的除外。mixed 是混合精度，后面的数字是预算。左图是全部方案，右图放大 90% 以上的部分。左上角最好：又小，又准。
#
# 从右往左走：8 位和 4 位是白得的，准确率与 float32 分不出高下；3 位丢 1 个百分点；2 位要想站得住，或者把位数花在最怕的层上，或者再训练一次。同样是 2 位，办法不同，准确率从不到 20% 到 96% 以上。可见“量化到几位”只说了一半，另一半是怎样量化。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 9 换成你自己的模型
#
# 把下面的 `source` 换成你自己的 safetensors 文件的路径，或者一个 `state_dict`，再选一个方案。`survey` 一次只读一个张量，文件比内存大也不要紧；读得久时有进度条，按停止按钮（■）可以中断，已经读完的层照样汇总。偏置、归一化的参数不量化，照原样计入字节。`survey` 不接受 pickle 格式的文件（常见的 `.pt`、`.bin`），因为打开 pickle 就可能执行其中的程序。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生课后换成自己的模型，交一张表。

# %% slideshow={"slide_type": "fragment"}
source = folder / "float32.safetensors"  # your own: "model.safetensors", or model.state_dict()
layers_of_source = report(survey(source, QuantizationScheme.INT4, axis=0))

# %% [markdown] slideshow={"slide_type": "notes"}
# 最后一行指出最差的一层。SQNR 最低的不一定是最怕量化的（第 3 节的次序就和这里不同），但这是第一个该看的地方：画出它的分布（见[可视化分析](05_visualization.ipynb)一章），看是不是有离群值，再试 `group_size=32`，或者给这一层多一位。

# %% [markdown] slideshow={"slide_type": "skip"}
# 文件有问题时，`survey` 会说明原因：

# %% slideshow={"slide_type": "skip"}
(folder / "model.bin").write_bytes(b"not a model")
codes_only = {"q": torch.zeros(2, 2).int()}
for wrong_source in (folder / "nowhere.safetensors", folder / "model.bin", codes_only):
    try:
        survey(wrong_source, QuantizationScheme.INT4)
    except (OSError, ValueError) as error:
        print(type(error).__name__ + ":", str(error).replace(str(folder), "...")[:75])

# %% [markdown] slideshow={"slide_type": "skip"}
# ## 练习
#
# 这些题课后做。写下答案，下一个单元格就检查；没有动过的题，检查说“还没有完成”。
#
# **【操作】**（8 分钟，难度 2/3）各层都是 `low` 位，只有一层可以保留 8 位。`counts` 是各层的权重个数，`gains` 是各层保留 8 位时少掉的噪声（都是列表，`gains` 各不相同）。平均每个权重不超过 `budget` 位，写出 `my_layer(counts, gains, low, budget)`，返回得益最大的一层的下标。至少有一层放得下。

# %% slideshow={"slide_type": "skip"}
def my_layer(counts, gains, low, budget):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("kept-layer", my_layer)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_layer(counts, gains, low, budget):
#     spare = (budget - low) * sum(counts)
#     fits = [k for k, n in enumerate(counts) if n * (8 - low) <= spare]
#     return max(fits, key=lambda k: gains[k])
# ```
#
# 先看放得下，再比得益。最怕量化的一层若太大，就轮到次怕的。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（6 分钟，难度 2/3）有人写整数层时丢了零点。修好 `my_sums(q, w, z)`：`q` 是输入的 `torch.int8` 编码，形状 `(N, K)`，零点是整数 `z`；`w` 是对称权重的 `torch.int8` 编码，形状 `(K, C)`。返回 `torch.int32` 的累加和。

# %% slideshow={"slide_type": "skip"}
def my_sums(q, w, z):
    without_zero_point = q.int() @ w.int()  # what is missing?
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("dropped-zero", my_sums)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_sums(q, w, z):
#     return (q.int() - z) @ w.int()
# ```
#
# 先换成 int32，再减零点：int8 里相减会绕回。也可以先乘，再减去 $z$ 乘以每列权重之和。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（4 分钟，难度 1/3）写出 `my_padded(q, z)`：`q` 是一行 `torch.int8` 的编码（一维），零点是 `z`。两端各填充一个代表数值 0 的编码，返回 `torch.int8` 的张量。

# %% slideshow={"slide_type": "skip"}
def my_padded(q, z):
    return ...  # your code; F.pad(q, (1, 1), value=...)

# %% slideshow={"slide_type": "skip"}
exercises.check("padding-code", my_padded)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_padded(q, z):
#     return F.pad(q, (1, 1), value=z)
# ```
#
# 数值 0 的编码是 $z$，所以填充 $z$。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 讨论
#
# **【思考】** 你要把一个网络部署到手机上，只能测一个数来决定用 8 位还是 4 位。你测什么？会漏掉什么？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 讨论 8 分钟。然后放宽到三个数：选哪三个？

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 小结
#
# - 训练集、校准集、测试集分开；方案在校准集上选，测试集只用来报告。
# - 量化之前，批归一化先并入卷积的权重和偏置，输出不变。
# - 这个网络 4 位以上，训练后量化几乎没有损失；2 位时逐张量的 `minmax` 垮掉，逐通道加 `mse` 能救回大半。
# - 各层误差互不相关、又不太大时，输出的噪声功率等于各层单独造成的之和。据此可以在字节的预算以内为每层选位宽。
# - 2 位时，从训练好的权重出发做几轮量化感知训练，五个种子都找回了丢掉的准确率的一半以上。
# - 只用整数运行整个网络：卷积摊成矩阵乘法，用零点填充，ReLU 就是截断；预测与伪量化 99% 以上相同。
# - 文件的字节数可以预先算出，要把缩放因子和偏置算在内。
# - 伪量化只说明准确率。速度要在目标机器上用有 8 位算子的程序实测。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下一章：[总结](06_summary.ipynb)，把全课的公式再验一遍。
