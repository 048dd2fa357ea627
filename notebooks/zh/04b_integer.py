# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 只用整数：各家怎样算，矩阵乘法怎样做
#
# **学完这一章，你能：**
#
# - 从头到尾跟踪一次只用整数的矩阵乘法，说出四项各是什么。
#
# | 部分 | 时间 |
# |:--|:--|
# | 1 各框架的实现差异 | 30 分钟 |
# | 2 只用整数的乘法 | 60 分钟 |

# %%
import time
import warnings

import numpy as np
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import explore, fixed_point_multiplier, integer_matmul, samples, sqnr_db
from quantcore.integer import requantize
from quantcore.sheet import BLUE, GRAY, GREEN, RED, Sheet

INT3, INT8, UINT8 = (QuantizationScheme[name] for name in ("INT3", "INT8", "UINT8"))
device = "cuda" if torch.cuda.is_available() else "cpu"

# %%
explore.set_language("zh")

# %% [markdown]
# ## 1 各框架的实现差异
#
# 规范只有一份，实现却有好几种。拿同样的棘手数值给它们看：中间值，奇数的零点，超出范围的，极小的。取 $s = 1$，$z = 1$，UINT8。
#
# `torch.fake_quantize_per_tensor_affine` 返回反量化之后的值，加回 $z$ 才好比较编码。
#
# **先猜。** 四行里哪几行相同？

# %%
tricky = torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5, 253.5, 254.5, 1e9, -1e9, 1e-30])
fake = torch.fake_quantize_per_tensor_affine(tricky, 1.0, 1, 0, 255) + 1
rows = {
    "quantcore": one.quantize(tricky),
    "torch.fake_quantize": fake,
    "z added first": torch.round(tricky + 1).clamp(0, 255),
    "half up": (torch.floor(tricky + 0.5) + 1).clamp(0, 255),
}
print(f"{'x':20}", "".join(f"{v:7.4g}" for v in tricky.tolist()))
for name, codes in rows.items():
    print(f"{name:20}", "".join(f"{int(v):7}" for v in codes.tolist()))

# %% [markdown]
# torch 的伪量化在这里和定义一致。「先加零点」是原文档的次序，「五入」是许多手写的 C 代码用的算法，都只在中间值上不同。
#
# torch 还有两个算子，onnxruntime 也有一个。它们的结果随版本和处理器而变，装没装也不一定，所以单独列，测试时不比较。没有装的，那一行写明缺什么；装上 `onnx` 和 `onnxruntime`，再运行一次就有了。

# %%
def old_torch(x):
    return torch.quantize_per_tensor(x, 1.0, 1, torch.quint8).int_repr()


def torch_export(x):
    import torch.ao.quantization.fx._decomposed  # registers the operator

    return torch.ops.quantized_decomposed.quantize_per_tensor(x, 1.0, 1, 0, 255, torch.uint8)


def torch_fake(x):
    return (torch.fake_quantize_per_tensor_affine(x, 1.0, 1, 0, 255) + 1).int()

# %%
def onnx_runtime(x):
    from onnx import TensorProto, helper
    from onnxruntime import InferenceSession

    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    kinds = {"x": (TensorProto.FLOAT, [None]), "s": (TensorProto.FLOAT, [])}
    kinds |= {"z": (TensorProto.UINT8, [])}
    inputs = [helper.make_tensor_value_info(n, t, d) for n, (t, d) in kinds.items()]
    output = helper.make_tensor_value_info("q", TensorProto.UINT8, [None])
    graph = helper.make_graph([node], "q", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    feeds = {"x": x.numpy(), "s": np.array(1, np.float32), "z": np.array(1, np.uint8)}
    return torch.tensor(InferenceSession(model.SerializeToString()).run(None, feeds)[0])

# %% tags=["nbval-ignore-output"]
# Depends on versions, on the processor and on what is installed, so it is not compared.
more = torch.cat([tricky[:7], torch.tensor([torch.inf, -torch.inf])])
names = {"quantcore": one.quantize, "torch.fake_quantize": torch_fake}
names |= {"quantized_decomposed": torch_export, "quantize_per_tensor": old_torch}
print(f"{'x':20}", "".join(f"{v:7.4g}" for v in more.tolist()))
for name, function in (names | {"onnxruntime": onnx_runtime}).items():
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # quantize_per_tensor is on its way out of torch
            print(f"{name:20}", "".join(f"{v:7}" for v in function(more).tolist()))
    except (ImportError, AttributeError, RuntimeError) as error:
        print(f"{name:20}  {type(error).__name__}: {str(error).splitlines()[0][:60]}")

# %% [markdown]
# 看 `quantize_per_tensor` 那一行。在常见的 x86 处理器上，它和原文档一样，先加零点。torch 已经宣布要删掉它，可是旧模型的结果是它算的。
#
# ### 除以 $s$，还是乘 $1/s$
#
# torch 的伪量化还有一处和定义不同：它先算 $1/s$，再乘。除法比乘法慢，这样省时间。可是 $1/s$ 舍入一次，乘积再舍入一次，紧挨着中间的值就可能换边。
#
# **先猜。** $s$ 取 $0.01, 0.02, 0.03, \dots$，$x$ 取 $(k + \tfrac12)\,s$，要找多久才找到一个不同的？

# %%
k = torch.arange(127) + 0.5
for hundredths in range(1, 100):
    s = torch.tensor(hundredths / 100)
    x = (k * s.double()).float()
    differs = (torch.round(x / s) != torch.round(x * (1 / s))).nonzero().flatten()
    if len(differs):
        break
x = x[differs[0]]
print(f"s = {s.item():.2f}, x = {x.item():.3f}: x / s = {x / s:.7f}, x * (1/s) = {x * (1 / s):.7f}")
fake = torch.fake_quantize_per_tensor_affine(x, s.item(), 0, -128, 127) / s
ours = UniformQuantizer(QuantizationParams(s, torch.tensor(0), -128, 127)).quantize(x.view(1))
print(f"code: quantcore {ours.item()}, torch.fake_quantize {fake.round().int().item()}")

# %% [markdown]
# 第一个 $s$ 就碰上了。差别只有一个编码，只在紧挨着中间的地方，所以对精度没有影响。可是两个程序要**逐位相同**时，它会让人找上半天。
#
# 乘法还有一个极端的毛病：$s$ 太小，$1/s$ 就溢出。$0 \cdot \infty$ 是 NaN。

# %%
s = torch.tensor(1e-39)
x = torch.tensor([0.0, 1.0, 2.0]) * s
tiny = UniformQuantizer(QuantizationParams(s, torch.tensor(0), -128, 127))
print("1 / s =", (1 / s).item(), "  x * (1/s) =", (x * (1 / s)).tolist())
print("quantcore, x / s:", tiny.quantize(x).tolist())

# %% [markdown]
# ## 2 只用整数的乘法
#
# 到这里都是「伪」量化：值落在网格上，运算仍是浮点。它告诉你精度。真正部署时只用整数，下面一步步推 (Jacob et al. 2018)。
#
# 两个矩阵都量化了，$a = s_a(q_a - z_a)$，$b = s_b(q_b - z_b)$。乘积的一个元素是
#
# $$
# \sum_{k=1}^{K} a_k b_k = s_a s_b \sum_{k=1}^{K} (q_{a,k} - z_a)(q_{b,k} - z_b)
# $$
#
# 展开括号，得到四项：
#
# $$
# \underbrace{\sum_k q_{a,k}\, q_{b,k}}_{1} \;\underbrace{-\; z_b \sum_k q_{a,k}}_{2} \;\underbrace{-\; z_a \sum_k q_{b,k}}_{3} \;\underbrace{+\; K z_a z_b}_{4}
# $$
#
# **先猜。** $a$ 是输入，$b$ 是权重。哪几项可以在运行之前就算好？有人说「零点自己会抵消」，对吗？
#
# <details><summary>想好了再看</summary>
#
# 第 3、4 项不含输入，可以预先算好，并进偏置。第 2 项每次都要算，好在一行只算一次。零点不会抵消。
#
# 权重对称，$z_b = 0$，第 2、4 项就消失了，剩下的第 3 项又是预先算好的。这是权重多用对称量化的一个主要原因 (Nagel et al. 2021)。
#
# </details>
#
# 用一个真正的层来算：训练好的数字识别网络的最后一层，输入是测试集图片在前一层 ReLU 之后的输出。为了四项都不为零，两边都用非对称的 INT8。

# %%
network = samples.digits_network()
_, _, images, labels = samples.digits()
h, w, bias = network[:-1](images), network[-1].weight.T.contiguous(), network[-1].bias
out = h @ w + bias
ph, pw, po = (QuantizationParams.from_tensor(t, INT8, symmetric=False) for t in (h, w, out))
qh, qw = (UniformQuantizer(p).quantize(t) for p, t in ((ph, h), (pw, w)))
zh, zw, zo = (p.zero_point.item() for p in (ph, pw, po))
print("input", tuple(qh.shape), qh.dtype, "  weight", tuple(qw.shape), qw.dtype)
print("zero points:", zh, zw, zo)

# %%
a, b, K = qh.int(), qw.int(), len(qw)
terms = (a @ b, -zw * a.sum(1, keepdim=True), -zh * b.sum(0), torch.tensor(K * zh * zw))
terms = [t.int() for t in terms]
print("dtype of the sums:", terms[0].dtype)
print("four terms = product:", torch.equal(sum(terms), (a - zh) @ (b - zw)))
print("mean size of each term:", [f"{t.double().abs().mean().item():.1e}" for t in terms])

# %% [markdown]
# 四项的大小差不多，哪一项都不能省。
#
# ### int32 够不够
#
# 累加器用 int32。一项最大是 $255 \cdot 255$（编码减去零点以后），$K$ 项的和不能超过 $2^{31} - 1$。
#
# **先猜。** $K$ 最大能到多少？int16 的累加器能加几项？

# %%
for bits in (16, 32):
    print(f"int{bits}: K at most {(2 ** (bits - 1) - 1) // 255**2}")
K = (2**31 - 1) // 255**2
for k in (K, K + 1):
    squares = torch.full((k,), 255**2, dtype=torch.int32)
    print(f"K = {k}: int32 sum {squares.sum(dtype=torch.int32)}")

# %% [markdown]
# int16 连一项也装不下。int32 可以加三万多项，多一项就绕成负数。`integer_matmul` 遇到装不下的和会报错，不会悄悄绕回去。
#
# ### 回到 8 位
#
# 和是 int32，要变成输出的编码。偏置先并进来：它的缩放因子取 $s_a s_b$，存成 int32，直接加。设加好的和是 $\mathrm{acc}$，输出有自己的 $s_o$、$z_o$，于是
#
# $$
# q_o = \operatorname{clamp}\bigl(z_o + \operatorname{round}(M \cdot \mathrm{acc}),\ q_{\min},\ q_{\max}\bigr), \qquad M = \frac{s_a s_b}{s_o}
# $$
#
# 这一步叫**重新量化**（requantize）。
#
# **先猜。** 有人说：先把 $a$、$b$ 都换成输出的参数 $(s_o, z_o)$，再乘，就不用 $M$ 了。错在哪里？
#
# <details><summary>想好了再看</summary>
#
# 错两处。乘积的缩放因子是两个因子的**乘积**，$s_o \cdot s_o$，不是 $s_o$。就算改成 $s_o^2$，$s_o$ 是照输出的范围定的，比 $s_a$、$s_b$ 大得多，因子一上来就粗得没法用。
#
# 正确的做法只换一次，换的是**和**。
#
# </details>

# %%
exact, qo = h @ w, UniformQuantizer(po)
coarse = (qo.quantize(h).int() - zo) @ (qo.quantize(w).int() - zo)
s_product, s_o = ph.scale.double() * pw.scale.double(), po.scale.double()
print("SQNR of the product, dB")
print(f"factors requantized, scale s_o    {sqnr_db(exact, s_o * coarse):7.1f}")
print(f"factors requantized, scale s_o^2  {sqnr_db(exact, s_o**2 * coarse):7.1f}")
print(f"the sum, scale s_a s_b            {sqnr_db(exact, s_product * sum(terms)):7.1f}")

# %% [markdown]
# ### 不用浮点，怎样乘 $M$
#
# $M$ 是小数。写成定点数 (Jacob et al. 2018)：
#
# $$
# M = m \cdot 2^{-31} \cdot 2^{-n}, \qquad m \in [2^{30}, 2^{31}) \cap \mathbb{Z}
# $$
#
# $m$ 是整数。乘 $M$ 就是：乘 $m$，取高位（除以 $2^{31}$，舍入），再右移 $n$ 位（舍入，正中间的离开 0）。
#
# $m$ 舍入移动不超过 $\tfrac12$，而 $m \ge 2^{30}$，所以 $M$ 的相对误差不超过 $2^{-31}$。
#
# 这里舍入了两次，又是二次舍入。第一次舍入之后，低 $n$ 位恰好是一半的概率是 $2^{-n}$；其中一半本来在中间以下，却被第二次舍入推了上去。所以比只舍入一次多错
#
# $$
# 2^{-n} \cdot \tfrac12 = 2^{-(n+1)}, \qquad n \ge 1
# $$
#
# **先猜。** 错的编码差多少？

# %%
acc = torch.arange(-30_000, 30_000)
print("M        n   error of M   off by one: predicted   measured   largest")
for M in (2**-0.5, 2**-1.5, 2**-4.5, 2**-7.5):
    fixed, shift = fixed_point_multiplier(M)
    relative = abs(fixed.item() * 2.0 ** (-31 - shift.item()) / M - 1)
    off = (requantize(acc, fixed, shift) - torch.round(acc * M)).abs()
    predicted = 2.0 ** -(shift.item() + 1) if shift > 0 else 0.0
    print(f"{M:.4f} {shift.item():2}   < 2^-31 {relative < 2**-31!s:5}", end="")
    print(f"{predicted:17.3f} {(off > 0).float().mean():14.3f} {off.max().int().item():9}")

# %% [markdown]
# $n$ 小时错得不少，可是真正的层里累加的和有几十万，输出只有 256 级，$M$ 很小，$n$ 在 10 上下。错也只错一个编码。
#
# ### 一个真正的层，从头到尾
#
# 四项的和，加偏置，乘 $M$，加 $z_o$，截断。下面分成三段：第一段在部署之前做，把偏置和 $M$ 变成整数；第二段是运行时做的，从头到尾只有整数；第三段拿 `integer_matmul` 来核对（它不带偏置）。

# %%
bias_codes = torch.round(bias / s_product).long()
m, n = fixed_point_multiplier(s_product / s_o)

acc = sum(terms).long() + bias_codes
q_out = (zo + requantize(acc, m, n)).clamp(po.qmin, po.qmax)

no_bias = (zo + requantize(sum(terms).long(), m, n)).clamp(po.qmin, po.qmax)
print(f"m = {m.item() / 2**31:.2f} * 2^31   n = {n.item()}", end="   ")
print(f"largest sum {acc.abs().max().item():.0e}")
print("same as integer_matmul:", torch.equal(no_bias, integer_matmul(qh, qw, ph, pw, po).long()))

# %% [markdown]
# 和两样东西比：浮点的层，以及伪量化的层（值在网格上，运算是浮点）。

# %%
simulated = UniformQuantizer(ph)(h).double() @ UniformQuantizer(pw)(w).double() + bias
off = (qo.quantize(simulated).int() - q_out).abs()
print(f"share of codes off: predicted {2.0 ** -(n.item() + 1):.4f}", end="   ")
print(f"measured below 0.001: {(off > 0).float().mean().item() < 1e-3}", end=", ")
print(f"by at most {off.max().item()}")


def report(name, t):
    db = f"{sqnr_db(out, t.float()):6.1f} dB" if t is not out else ""
    print(f"{name:13} accuracy {(t.argmax(1) == labels).float().mean():.2f} {db}")


report("float", out)
report("simulated", qo(simulated))
report("integer only", qo.dequantize(q_out.to(po.dtype)))

# %% [markdown]
# 只用整数的结果，和伪量化的结果几乎处处相同，不同的地方极少，而且只差一个编码，二次舍入就会造成这样的差别。所以，只要用的是同样的参数，伪量化就能预测**精度**。
#
# **先猜。** 现在故意丢掉一项零点，准确率会降到多少？

# %%
for dropped in (1, 2, 3):
    kept = sum(t for i, t in enumerate(terms) if i != dropped).long() + bias_codes
    wrong = (zo + requantize(kept, m, n)).clamp(po.qmin, po.qmax)
    report(f"without {dropped + 1}", qo.dequantize(wrong.to(po.dtype)))

# %% [markdown]
# 丢掉第 2 项或第 4 项，准确率几乎没变，SQNR 却成了负数：值全错了。**为什么看不出来？**
#
# <details><summary>想好了再看</summary>
#
# 第 2 项只和输入的那一行有关，第 4 项是常数。丢掉它们，十个类别的得分一起平移，最大的还是最大的（除非平移到截断的地方）。第 3 项每个类别不同，丢了它，准确率就垮了。
#
# 只看准确率，会放过错误的实现。这一层后面若还有一层，平移就不再无害。
#
# </details>
#
# ### 缩放因子不能沿求和的方向变
#
# 若每个 $k$ 有自己的 $s_k$，$\sum_k s_k\,(q_{a,k} - z_a)(q_{b,k} - z_b)$ 里的 $s_k$ 提不出来，每一项都要先乘一个小数，整数的好处就没有了。沿输出通道变化没有问题：每一列有自己的 $M$。
#
# 这一层的权重形状是（输入，输出），输出通道在第 1 维。`integer_matmul` 接受 `axis=1`，拒绝 `axis=0`：

# %%
for axis in (1, 0):
    per_channel = QuantizationParams.from_tensor(w, INT8, axis=axis)
    codes = UniformQuantizer(per_channel).quantize(w)
    try:
        q = integer_matmul(qh, codes, ph, per_channel, po)
        report(f"axis={axis}", qo.dequantize(q) + bias)
    except ValueError as error:
        print(f"axis={axis}  ValueError: {error}")

# %% [markdown]
# ### 精度不是速度
#
# **先猜。** 同一个矩阵乘法，浮点、伪量化、`integer_matmul`，在这台电脑上谁最快？

# %% tags=["nbval-ignore-output"]
# Times belong to the machine, so this output is not compared.
square = torch.randn(512, 512, generator=torch.Generator().manual_seed(0))
p = QuantizationParams.from_tensor(square, INT8)
quantizer, codes = UniformQuantizer(p), UniformQuantizer(p).quantize(square)
po_square = QuantizationParams.from_tensor(square @ square, INT8)
for name, run in {
    "float32": lambda: square @ square,
    "simulated int8": lambda: quantizer(square) @ quantizer(square),
    "integer_matmul": lambda: integer_matmul(codes, codes, p, p, po_square),
}.items():
    start = time.perf_counter()
    for _ in range(10):
        run()
    print(f"{name:15} {(time.perf_counter() - start) * 100:7.2f} ms")

# %% [markdown]
# 两种「量化」都比浮点慢。伪量化做的是浮点乘法，还多了量化和反量化；`integer_matmul` 是教学用的，为了看得清每一步。
#
# **伪量化告诉你精度，不告诉你速度。** 8 位真正变快，要靠硬件里的 8 位乘加指令，和为它写的程序。省下的内存流量则是实在的，[信息论](01_information_theory.ipynb)一章量过。

# %% [markdown]
# ## 小结
#
# - 次序：除，舍入（中间取偶数），加 $z$，截断。先加 $z$ 再舍入，奇数的 $z$ 弄错每一个中间值；bfloat16 里三个错一个。
# - 截断是定义的一部分。没有它，int8 会绕回去，正数变负数。
# - 编码是整数类型；减零点之前先换成更宽的类型。
# - 没有截断时 $\lvert e \rvert \le s/2$；幂等；单调；0 精确。
# - 直通估计器去掉舍入，保留截断：范围之内梯度是 1，之外是 0。它会在两级之间来回跳，要留下最好的一步。
# - 整数乘法有四项，零点不会抵消。只对和换一次缩放因子，$M = m \cdot 2^{-31-n}$。
# - 实现之间会差一个编码：舍入的规则、零点的次序、乘 $1/s$、二次舍入。
# - 伪量化预测精度，不预测速度。
#
# 下一章：[可视化分析](05_visualization.ipynb)，学会从图上看出量化哪里出了毛病。
