# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 均匀量化器：一个值、一个梯度、一次乘法
#
# 参数有了，量化只剩三步：舍入，加零点，截断。次序错一步，结果就变，而且往往只在少数值上变，很难发现。这一章把三步钉死，证明它的性质，给它一个梯度，最后只用整数做一次矩阵乘法。
#
# **学完这一章，你能：**
#
# - 写出量化、反量化、**伪量化**（fake quantization），说出每一步的次序为什么要紧；
# - 给误差一个界，并证明它；
# - 解释**直通估计器**（straight-through estimator），它让什么通过，不让什么通过；
# - 从头到尾跟踪一次只用整数的矩阵乘法。
#
# | 部分 | 时间 |
# |:--|:--|
# | 1 舍入、加零点、截断 | 25 分钟 |
# | 2 性质 | 15 分钟 |
# | 3 梯度 | 20 分钟 |
# | 4 只用整数的乘法 | 30 分钟 |

# %%
import importlib.util

import numpy as np
import torch

from quantcore import QuantizationParams, QuantizationScheme, UniformQuantizer
from quantcore import explore, fixed_point_multiplier, integer_matmul, samples, sqnr_db
from quantcore.integer import requantize

INT8, UINT8 = QuantizationScheme.INT8, QuantizationScheme.UINT8
device = "cuda" if torch.cuda.is_available() else "cpu"

# %%
explore.set_language("zh")

# %% [markdown]
# ## 1 舍入、加零点、截断
#
# 定义照 ONNX 算子规范的 QuantizeLinear 和 DequantizeLinear：
#
# $$
# q = \operatorname{clamp}\!\left(\operatorname{rint}\!\left(\frac{x}{s}\right) + z,\ q_{\min},\ q_{\max}\right), \qquad
# \hat x = s\,(q - z)
# $$
#
# $\operatorname{rint}$ 舍入到最近的整数，正好在中间时取偶数。先用三行代码照公式写一遍，再和 `quantcore` 对一对。

# %%
x = samples.distribution("normal", 10**5).to(device)
params = QuantizationParams.from_tensor(x, UINT8, symmetric=False)
quantizer = UniformQuantizer(params)
q = torch.clamp(torch.round(x / params.scale) + params.zero_point, 0, 255)
x_hat = params.scale * (q - params.zero_point)
print("codes equal:", torch.equal(q.to(torch.uint8), quantizer.quantize(x)))
print("values equal:", torch.equal(x_hat, quantizer(x)))
print("dtype of the codes:", quantizer.quantize(x).dtype)

# %% [markdown]
# ### 先加零点还是先舍入
#
# 原文档写的是 $\operatorname{rint}(x/s + z)$。**先猜**：$x = 0.5$，$s = 1$，$z = 1$，两种次序各得几？
#
# <details><summary>想好了再看</summary>
#
# 先舍入：$\operatorname{rint}(0.5) + 1 = 0 + 1 = 1$。先加：$\operatorname{rint}(1.5) = 2$。
#
# 不在中间的值，加一个整数不影响往哪边舍。正好在中间时，取偶数的规则看的是**加过之后**的数，奇数的 $z$ 会把奇偶翻过来。
#
# </details>

# %%
ties = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
for z in (1, 2):
    after = torch.round(ties) + z
    before = torch.round(ties + z)
    print(f"z = {z}   x/s {ties.tolist()}")
    print(f"   rint(x/s) + z {after.int().tolist()}   rint(x/s + z) {before.int().tolist()}")
one = UniformQuantizer(QuantizationParams(torch.tensor(1.0), torch.tensor(1), 0, 255))
print("quantcore, x = 0.5, z = 1:", one.quantize(torch.tensor([0.5])).item())

# %% [markdown]
# 「不过是中间值，谁会碰上？」有两种情形常常碰上。
#
# 一是低精度浮点数。bfloat16 只有 8 位有效数字，$x/s$ 加上 $z$ 之后，小数部分先被浮点加法舍掉一次，再被 $\operatorname{rint}$ 舍一次。二是 $z$ 很大：紧挨着中间的数，加上 $z$ 就被浮点加法推到中间去了。下面数一数，先加零点会错多少个编码：

# %%
u = samples.distribution("uniform", 10**5).abs() / 3**0.5 * 127
near = torch.nextafter(torch.arange(127) + 0.5, torch.tensor(0.0))
print("dtype      x/s          z   share of codes that differ")
for values, what, dtype, z in (
    (u, "anything", torch.float32, 127), (near, "near ties", torch.float32, 1),
    (near, "near ties", torch.float32, 127), (u, "anything", torch.bfloat16, 1),
    (u, "anything", torch.bfloat16, 127),
):
    v = values.to(dtype)
    right, wrong = torch.round(v.float()) + z, torch.round((v + z).float())
    print(f"{str(dtype)[6:]:10} {what:9} {z:4} {(right != wrong).float().mean():20.2f}")

# %% [markdown]
# 所以 `quantcore` 对 bfloat16 和 float16 先转成 float32 再算。
#
# ### 取偶数，还是五入
#
# 学校里教「五入」，$\lfloor u + \tfrac12 \rfloor$。**先猜**：一批数全都落在中间，五入的平均误差是多少？取偶数呢？
#
# <details><summary>想好了再看</summary>
#
# 五入每次都往上半格，平均偏差 $+\tfrac12$。取偶数一半往上、一半往下，平均为 0。
#
# </details>

# %%
u = torch.arange(-100, 100) + 0.5
for name, rounded in {
    "half to even": torch.round(u),
    "half up": torch.floor(u + 0.5),
    "half away from 0": torch.sign(u) * torch.floor(u.abs() + 0.5),
    "truncate": torch.trunc(u),
}.items():
    print(f"{name:17} mean error {(rounded - u).mean():5.2f}   on u > 0 {(rounded - u)[u > 0].mean():5.2f}")

# %% [markdown]
# 「离开 0」在正负平衡时看着没有偏差，只看 ReLU 之后的正数，偏差又回来了。
#
# 截断小数（`int(x / s)`）更糟：误差在 $[0, s)$ 里，不是 $\pm s/2$。均匀的误差这时功率是
#
# $$
# \frac1s \int_0^s e^2\,\mathrm{d}e = \frac{s^2}{3}
# $$
#
# 是 $s^2/12$ 的四倍，丢掉整整 1 位，6.02 dB。

# %%
x = samples.distribution("uniform", 10**6).to(device)
s = QuantizationParams.from_tensor(x, INT8).scale
for name, rounding, predicted in (("rint", torch.round, s**2 / 12), ("trunc", torch.trunc, s**2 / 3)):
    e = x - s * rounding(x / s)
    print(f"{name:5}   predicted {predicted.item():.3e}   measured {e.square().mean().item():.3e}")

# %% [markdown]
# ### 截断是定义的一部分
#
# 原文档的总结写着 $Q(x) = \operatorname{round}(x/s + z)$，没有截断。它的代码有。**先猜**：照总结写，编码算出 200，存进 int8，读出来是几？
#
# <details><summary>想好了再看</summary>
#
# $-56$。int8 只留低 8 位，$200 - 256 = -56$。一个偏大的正数，变成了负数。
#
# </details>

# %%
u = torch.tensor([100.0, 127.25, 128.0, 200.0])
wrapped = torch.round(u).to(torch.int32).to(torch.int8)
unit = UniformQuantizer(QuantizationParams(torch.tensor(1.0), torch.tensor(0), -128, 127))
print("x / s        ", u.tolist())
print("no clamp     ", wrapped.tolist())
print("quantcore    ", unit.quantize(u).tolist())
print("±inf         ", unit.quantize(torch.tensor([torch.inf, -torch.inf])).tolist())

# %% [markdown]
# 截断要放在最后，加过 $z$ 之后。**先猜**：先把 $x/s$ 截断到 $[q_{\min}, q_{\max}]$，再舍入、加 $z$，哪里会错？
#
# 取 UINT8，$z = 128$：$x/s$ 的负数全被截成 0，一半的数据没有了；$x/s + z$ 又会超过 255。

# %%
u = torch.tensor([-100.0, -1.0, 50.0, 127.0, 200.0])
print("clamp first", (torch.round(u.clamp(0, 255)) + 128).int().tolist())
print("clamp last ", (torch.round(u) + 128).clamp(0, 255).int().tolist())

# %% [markdown]
# 反量化也有一个常见的错：写成 $s\,(q + z)$。上一章 $z = q_{\min} - x_{\min}/s$ 里，$z$ 是 **0.0 的编码**，所以是 $q - z$。
#
# 还有一个是类型。原文档的 `quantize` 返回浮点数，叫它「INT8」，一个字节也没有省（见[量化方案](02_schemes.ipynb)）。
#
# ### 别人怎样算
#
# 同样的棘手数值，几种实现放在一起看。`torch.fake_quantize_per_tensor_affine` 返回反量化之后的值，所以加回零点比较编码。

# %%
tricky = torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5, 253.5, 254.5, 1e9, -torch.inf])
z = torch.tensor(1, dtype=torch.int32)
fake = torch.fake_quantize_per_tensor_affine(tricky, torch.tensor(1.0), z, 0, 255) + 1
rows = {
    "quantcore": one.quantize(tricky),
    "torch fake": fake,
    "document": torch.round(tricky + 1).clamp(0, 255),
    "numpy, ONNX's formula": np.clip(np.rint(tricky.numpy()) + 1, 0, 255),
}
print(f"{'x':21}", "".join(f"{v:7.5g}" for v in tricky.tolist()))
for name, codes in rows.items():
    print(f"{name:21}", "".join(f"{int(v):7}" for v in codes.tolist()))

# %% tags=["nbval-ignore-output"]
# onnxruntime may or may not be installed, so this output is not compared.
if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
    from onnx import TensorProto, helper
    from onnxruntime import InferenceSession

    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    kinds = {"x": (1, [9]), "s": (1, []), "z": (2, [])}
    inputs = [helper.make_tensor_value_info(n, t, d) for n, (t, d) in kinds.items()]
    output = helper.make_tensor_value_info("q", TensorProto.UINT8, [9])
    graph = helper.make_graph([node], "q", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    feeds = {"x": tricky.numpy(), "s": np.float32(1), "z": np.uint8(1)}
    print("onnxruntime", InferenceSession(model.SerializeToString()).run(None, feeds)[0])
else:
    print("onnxruntime or onnx is not installed: pip install onnx onnxruntime")

# %% [markdown]
# `torch` 的伪量化和定义只差一处：它不除以 $s$，而是乘 $1/s$。$1/s$ 先舍入了一次，乘的时候又舍入一次，于是有些本来在中间一侧的值，跑到了另一侧。下面搜出一个：

# %%
generator = torch.Generator().manual_seed(0)
scales = torch.rand(2000, 1, generator=generator) + 0.01
x = (torch.arange(120) + 0.5) * scales
difference = (torch.round(x / scales) != torch.round(x * (1 / scales))).nonzero()
row, column = difference[0].tolist()
s, v = scales[row, 0], x[row, column]
fake = torch.fake_quantize_per_tensor_affine(v, s.item(), 0, -128, 127) / s
ours = UniformQuantizer(QuantizationParams(s, torch.tensor(0), -128, 127)).quantize(v.view(1))
print(f"{len(difference)} of {x.numel()} ties differ; the first: x / s = {(v / s).item()}")
print(f"quantcore {ours.item()}, torch's fake-quantize {fake.round().int().item()}")

# %% [markdown]
# 差别只有一个编码，而且只在紧挨着中间的地方。两个程序的结果对不上时，先想到它。
#
# ## 2 性质
#
# 四条性质，每条一行证明，然后在随机生成的张量上检验。
#
# 1. **误差有界**：没有被截断时 $\lvert e \rvert \le s/2$。因为 $\operatorname{rint}$ 移动不超过 $\tfrac12$，再乘 $s$。
# 2. **幂等**：$Q(Q(x)) = Q(x)$。因为 $\hat x / s = q - z$ 已经是整数，舍入不动它。
# 3. **单调**：$x \le y$ 则 $Q(x) \le Q(y)$。因为除以正数、舍入、加常数、截断都单调。
# 4. **0 精确**：$Q(0) = 0$。因为 $\operatorname{rint}(0) + z = z$ 在编码里，$s\,(z - z) = 0$。
#
# **先猜。** 浮点运算里，哪一条最可能被舍入误差破坏？
#
# <details><summary>想好了再看</summary>
#
# 第 1 条。$x/s$ 和 $s\,(q-z)$ 各舍入一次，误差可以超出 $s/2$ 一点点。下面检验时放宽了几个浮点单位。第 3、4 条严格成立。
#
# </details>

# %%
def check(x, quantizer):
    x_hat, s = quantizer(x), quantizer.params.scale
    slack = 4 * torch.finfo(x.dtype).eps * x.abs()
    bounded = ((x - x_hat).abs() <= s / 2 + slack)[quantizer.in_range(x)].all()
    idempotent = (quantizer(x_hat) == x_hat).all()
    monotone = (quantizer(x.sort().values).diff() >= 0).all()
    zero = (quantizer(0 * x) == 0).all()
    return torch.stack([bounded, idempotent, monotone, zero]).int()

# %%
passed = torch.zeros(4, dtype=torch.int32)
how = {"symmetric": False, "method": "percentile", "percentile": 99}
for seed in range(50):
    x = samples.distribution(samples.SHAPES[seed % 5], 500, seed) * 10.0 ** (seed % 9 - 4)
    for scheme in QuantizationScheme:
        passed += check(x, UniformQuantizer(QuantizationParams.from_tensor(x, scheme, **how)))
print("passed, of", 50 * len(QuantizationScheme))
for name, count in zip(("bounded", "idempotent", "monotone", "zero exact"), passed.tolist()):
    print(f"{name:11} {count}")

# %% [markdown]
# ## 3 梯度
#
# 训练时想让网络适应量化，就要对 $Q$ 求导。看看它的样子：

# %%
explore.staircase(bits=3, symmetric=False)

# %% [markdown]
# **先猜。** $Q$ 的导数是多少？拿它做梯度下降，会怎样？
#
# <details><summary>想好了再看</summary>
#
# 台阶上是平的，导数是 0；台阶边上跳变，没有导数。梯度处处为 0，参数一步也不动。
#
# </details>
#
# **直通估计器**（Bengio et al. 2013；Krishnamoorthi 2018）换一个导数：假装没有舍入，
#
# $$
# \frac{\partial \hat x}{\partial x} \approx
# \begin{cases}
# 1, & q_{\min} \le \operatorname{rint}(x/s) + z \le q_{\max} \\
# 0, & \text{否则}
# \end{cases}
# $$
#
# 它扔掉了舍入，**保留了截断**。上图右边橙色的线就是它。
#
# **先猜。** 被截断的值，为什么梯度要是 0？让它也通过，会有什么问题？
#
# <details><summary>想好了再看</summary>
#
# 截断之外，$x$ 再大，$\hat x$ 也不变。梯度若通过，参数会被一直往外推，损失却一点不减，永远停不下来。
#
# </details>
#
# 和 torch 自带的伪量化比一比梯度：

# %%
x = torch.linspace(-3, 4, 10_000).to(device)
p = QuantizationParams.from_tensor(torch.tensor([-1.0, 2.0], device=device), INT8, symmetric=False)
gradients = []
torch_fake = torch.fake_quantize_per_tensor_affine
for f in (UniformQuantizer(p), lambda x: torch_fake(x, p.scale, p.zero_point, p.qmin, p.qmax)):
    leaf = x.clone().requires_grad_()
    f(leaf).sum().backward()
    gradients.append(leaf.grad)
low, high = (p.scale * (q - p.zero_point) for q in (p.qmin - 0.5, p.qmax + 0.5))
predicted = (x >= low) & (x <= high)
print("share of 1: predicted", f"{predicted.float().mean():.3f}", f"measured {gradients[0].mean():.3f}")
print("same as torch's:", torch.equal(*gradients))

# %% [markdown]
# ### 穿过它训练
#
# 一个小实验。$y = Xw$，八个权重只许用 3 位。三种做法：
#
# 1. 先用最小二乘求出 $w$，再舍入（**训练后量化**，PTQ）；
# 2. 照真导数训练：梯度为 0；
# 3. 用直通估计器训练（**量化感知训练**，QAT）。
#
# **先猜。** 每个权重都舍入到最近的级，总误差是不是就最小？
#
# <details><summary>想好了再看</summary>
#
# 不是。$X$ 的各列相关时，一个权重往上舍的误差，可以由另一个往下舍来抵消。逐个取最近，看不到这一点。
#
# </details>

# %%
generator = torch.Generator().manual_seed(2)
mixing = torch.randn(8, 8, generator=generator, dtype=torch.float64)
X = torch.randn(500, 8, generator=generator, dtype=torch.float64) @ mixing
target = torch.randn(8, generator=generator, dtype=torch.float64)
y, power = X @ target, (X @ target).square().mean()
weights = UniformQuantizer(QuantizationParams.from_tensor(target, QuantizationScheme.INT3))


def loss_of(w):
    return ((X @ w - y).square().mean() / power).item()


print(f"1 rounded to the nearest: {loss_of(weights(target)):.4f}")

# %%
def train(quantize, steps=300):
    w, best = target.clone().requires_grad_(), torch.inf
    for _ in range(steps):
        loss = (X @ quantize(w) - y).square().mean() / power
        (gradient,) = torch.autograd.grad(loss, w)
        w.data -= 0.02 * gradient
        best = min(best, loss_of(weights(w.detach())))
    return best


s = weights.params.scale
print(f"2 true derivative:  {train(lambda w: s * torch.round(w / s).clamp(-4, 3)):.4f}")
print(f"3 straight-through: {train(weights):.4f}")

# %% [markdown]
# 真导数的一行和第 1 种一模一样：它没有动过。直通估计器找到了一组更好的编码。每一步都在假装，方向却大致对。
#
# ## 4 只用整数的乘法
#
# 到这里都是「伪」量化：值落在网格上，运算仍是浮点。它告诉你**精度**，不告诉你速度。真正的部署只用整数，下面一步步推。
#
# 两个矩阵都量化了，$a = s_a(q_a - z_a)$，$b = s_b(q_b - z_b)$。乘积的一个元素：
#
# $$
# \sum_k a_k b_k = s_a s_b \sum_k (q_{a,k} - z_a)(q_{b,k} - z_b)
# $$
#
# 展开括号，得到四项：
#
# $$
# \sum_k q_{a,k} q_{b,k} \;-\; z_b \sum_k q_{a,k} \;-\; z_a \sum_k q_{b,k} \;+\; K z_a z_b
# $$
#
# **先猜。** 哪几项可以在运行之前就算好？$z_b = 0$ 时剩下几项？
#
# <details><summary>想好了再看</summary>
#
# $b$ 是权重：$z_a \sum q_b$ 和 $K z_a z_b$ 可以预先算好，并进偏置。$z_b \sum q_a$ 每次都要算。$z_b = 0$（权重对称）时只剩第一项和预先算好的第三项。这就是权重总用对称量化的原因。零点并没有「消失」，要么算它，要么让它等于 0。
#
# </details>

# %%
generator = torch.Generator().manual_seed(0)
a = torch.rand(3, 64, generator=generator) * 4 - 1
b = torch.randn(64, 5, generator=generator) + 0.3
pa = QuantizationParams.from_tensor(a, UINT8, symmetric=False)
pb = QuantizationParams.from_tensor(b, INT8, symmetric=False)
qa, qb = (UniformQuantizer(p).quantize(t).long() for p, t in ((pa, a), (pb, b)))
za, zb = pa.zero_point.long(), pb.zero_point.long()
direct = (qa - za) @ (qb - zb)
terms = qa @ qb, -zb * qa.sum(1, keepdim=True), -za * qb.sum(0), 64 * za * zb
print("zero points:", za.item(), zb.item())
print("four terms add up to the product:", torch.equal(sum(terms), direct))
print("without the zero points the first element is", terms[0][0, 0].item(), "not", direct[0, 0].item())

# %% [markdown]
# 累加器用 int32。$K$ 项 8 位乘 8 位，每项不超过 $255 \cdot 255$。**先猜**：$K$ 到多大会溢出？

# %%
print("K at most", (2**31 - 1) // 255**2)

# %% [markdown]
# ### 回到 8 位
#
# 累加的和要变成输出的编码。输出有自己的 $s_o$、$z_o$：
#
# $$
# q_o = z_o + M \cdot \mathrm{acc}, \qquad M = \frac{s_a s_b}{s_o}
# $$
#
# 常见的错误是把两个因子各自重新量化，想凑出乘积的缩放因子。乘积的缩放因子就是 $s_a s_b$，不用凑；要换的是累加之后的**和**，只换一次。
#
# $M$ 是小数。不用浮点怎样乘？写成定点数 (Jacob et al. 2018)：
#
# $$
# M = m \cdot 2^{-31} \cdot 2^{-n}, \qquad m \in [2^{30}, 2^{31}) \text{ 是整数}
# $$
#
# 于是乘 $M$ 就是：乘整数 $m$，取高 32 位，再右移 $n$ 位，舍入时正中间的离开 0。
#
# **先猜。** $m$ 有 31 位。$M$ 的相对误差最多多大？

# %%
for m in (0.75, 0.0123, 1 / 3, 2.5):
    mantissa, shift = fixed_point_multiplier(m)
    back = mantissa.item() * 2.0 ** (-31 - shift.item())
    acc = torch.tensor([1000, -1000, 123456])
    print(f"M = {m:.4f}: m = {mantissa.item()}, n = {shift.item():2}, ", end="")
    print(f"error {abs(back / m - 1):.0e} <= {2**-31:.0e}, ", end="")
    print("acc * M", requantize(acc, mantissa, shift).tolist())

# %% [markdown]
# 相对误差不超过 $2^{-31}$：$m \ge 2^{30}$，舍入移动不超过 $\tfrac12$。
#
# ### 一个真正的层
#
# 拿训练好的数字识别网络，最后一个线性层。输入是前一层 ReLU 的输出（UINT8），权重逐输出通道对称（INT8），输出非对称（INT8）。从头到尾没有浮点：

# %%
network = samples.digits_network()
_, _, images, labels = samples.digits()
h, layer = network[:-1](images), network[-1]
w = layer.weight.T.contiguous()
out = h @ w
ph = QuantizationParams.from_tensor(h, UINT8)
pw = QuantizationParams.from_tensor(w, INT8, axis=1)
po = QuantizationParams.from_tensor(out, INT8, symmetric=False)
codes = UniformQuantizer(ph).quantize(h), UniformQuantizer(pw).quantize(w)
q_out = integer_matmul(*codes, ph, pw, po)
print("dtypes:", codes[0].dtype, codes[1].dtype, "->", q_out.dtype)

# %%
integer = UniformQuantizer(po).dequantize(q_out)
simulated = UniformQuantizer(po)(UniformQuantizer(ph)(h) @ UniformQuantizer(pw)(w))
off = (UniformQuantizer(po).quantize(simulated).int() - q_out.int()).abs()
print("codes apart from the simulated ones: at most", off.max().item())
print(f"share that differs: {(off > 0).float().mean():.4f}")
for name, t in (("float", out), ("simulated", simulated), ("integer only", integer)):
    right = ((t + layer.bias).argmax(1) == labels).float().mean()
    db = "" if name == "float" else f"SQNR {sqnr_db(out, t):.1f} dB"
    print(f"{name:13} accuracy {right:.3f}  {db}")

# %% [markdown]
# 只用整数的结果，和伪量化的结果几乎处处相同；不同的地方差一个编码，因为定点乘法和浮点乘法的舍入不同。所以伪量化可以放心地用来**预测精度**。
#
# 速度是另一回事。`integer_matmul` 是教学用的，它在 CPU 上比浮点还慢。8 位真正变快，要靠硬件里的 8 位乘加指令。
#
# 还剩一个问题：**$s$ 为什么不能沿求和的方向变化？** 若每个 $k$ 有自己的 $s_k$，$\sum_k s_k (q_{a,k} - z_a)(q_{b,k} - z_b)$ 里的 $s_k$ 提不出来，每一项都要先乘一个小数，整数的好处就没有了。`quantcore` 会拒绝：

# %%
wrong = QuantizationParams.from_tensor(w, INT8, axis=0)
try:
    integer_matmul(codes[0], UniformQuantizer(wrong).quantize(w), ph, wrong, po)
except ValueError as error:
    print(f"ValueError: {error}")

# %% [markdown]
# ## 小结
#
# - 次序：除、舍入到偶数、加 $z$、截断。先加 $z$ 再舍入，中间值会错，低精度时错得更多。
# - 截断是定义的一部分。没有它，int8 会绕回去，正数变负数。
# - 误差不超过 $s/2$，幂等，单调，0 精确。
# - 直通估计器扔掉舍入，保留截断：范围之内梯度是 1，之外是 0。
# - 整数乘法有四项；权重对称时省掉最贵的一项。和只换一次缩放因子，用定点数 $m \cdot 2^{-31-n}$。
# - 伪量化预测精度，不预测速度。
#
# 下一章：[可视化](05_visualization.ipynb)，学会从图上看出量化哪里出了毛病。
