# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # 只用整数：各家怎样算，矩阵乘法怎样做
#
# [上一章](04_quantizer.ipynb)把量化器的每一步都规定清楚了。可是一个网络常常在 PyTorch 里训练，再交给 ONNX Runtime 或 TensorFlow Lite 去运行，有时还要放进一块没有浮点运算单元的芯片。同样的网络，同样的 $s$ 和 $z$，它们算出的编码相同吗？如果不同，差在哪一步，差多少？
#
# 我们分两步回答。先比较几种实现怎样做“量化”这一步，然后只用整数做完一整层的乘法：从 8 位的编码出发，回到 8 位的编码，运行时没有一个浮点数。这是为手机和嵌入式设备提出的做法（[Jacob 等，2018](references.ipynb)）。
#
# 也先说清楚范围。这一章只做一层，目的是看清每一步，不追求速度。许多 GPU 程序在整数求和之后改用浮点数乘缩放因子；大语言模型常常只量化权重，相乘之前先把权重反量化成 float16。后一种情形不用整数乘法，本章的推导也就用不上。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 开场问：两家的“INT8”结果差一个编码，谁错了？答案是可能都没有错。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **学完这一章，你能：**
#
# - 指出几种实现在哪些数值上会差一个编码，并说出原因；
# - 把量化矩阵的乘积展开成四项，说出每一项什么时候可以预先算好；
# - 算出 16 位和 32 位的累加器各能加多少项；
# - 对给定的 $M$ 手算定点乘数，并写出重新量化的代码；
# - 只用整数算完一层，并说出伪量化与它一致的条件。

# %% [markdown] slideshow={"slide_type": "skip"}
# | 部分 | 时间 |
# |:--|:--|
# | 1 各框架的实现差异 | 10 分钟 |
# | 2 乘积展开成四项 | 25 分钟 |
# | 3 累加器要几位 | 5 分钟 |
# | 4 从累加和回到编码 | 20 分钟 |
# | 5 一个真正的层 | 20 分钟 |
# | 6 准确率不是速度 | 5 分钟 |
# | 练习 | 36 分钟 |
# | 小结 | 5 分钟 |
# | ★ 选读 | 10 分钟 |

# %% slideshow={"slide_type": "skip"}
import time
import warnings
from fractions import Fraction
from textwrap import fill

import torch

from quantcore import QuantizationParams, UniformQuantizer
from quantcore import exercises, explore, fixed_point_multiplier, integer_matmul
from quantcore import samples, schematics, sqnr_db
from quantcore.integer import requantize
from quantcore.quantizer import fit

# %% slideshow={"slide_type": "skip"}
explore.set_language("zh")

# %% [markdown] slideshow={"slide_type": "skip"}
# 前两章用过的 `fit(x, bits, symmetric)` 从数据 `x` 求出参数，返回有符号的量化器。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 各框架的实现差异
#
# 量化的公式由 ONNX 算子规范写定：先除以 $s$，舍入，再加 $z$，最后做**饱和截断**（clipping，也叫限幅、饱和；以下简称截断）。各种实现的差别主要在两处：半整数 $k + \tfrac12$ 怎样舍入，$z$ 什么时候加。常见的舍入规则有三种：
#
# | 规则 | 写法 | 谁在用 |
# |:--|:--|:--|
# | 四舍六入五成双（round half to even） | $\operatorname{rint}(u)$ | ONNX、PyTorch、NumPy |
# | 四舍五入（round half up） | $\lfloor u + \tfrac12 \rfloor$ | 一些手写的 C 代码，例如 llama.cpp 的 Q4_0：`(int)(x + 8.5)` |
# | 向远离零的方向（round half away from zero） | $\operatorname{round}_{\text{away}}(u) = \operatorname{sign}(u)\,\lfloor \lvert u \rvert + \tfrac12 \rfloor$ | C 语言的 `round`，TensorFlow Lite |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 表不必念完，只问一句：公式写明了，为什么还会不同？

# %% [markdown] slideshow={"slide_type": "notes"}
# 用同一组棘手的数值逐一测试。取 $s = 1$，$z = 5$，UINT8。`torch.fake_quantize_per_tensor_affine` 返回反量化之后的值，加回 $z$ 才是编码。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 我们比较五行：`quantcore`，`torch.fake_quantize`，先加零点再舍入，四舍五入，向远离零的方向舍入。哪几行完全相同？$x = -2.5$ 那一列，各行得几？请填入最后一行的编码。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先选一个最可疑的数值，请学生说它在五行里各得几。

# %%
exercises.predict("half-away-code")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
unit = UniformQuantizer(QuantizationParams(torch.tensor(1.0), torch.tensor(5), 0, 255))
tricky = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 1e9, -1e9, 1e-30])
away = tricky.sign() * torch.floor(tricky.abs() + 0.5)
rows = {
    "quantcore": unit.quantize(tricky),
    "torch.fake_quantize": torch.fake_quantize_per_tensor_affine(tricky, 1.0, 5, 0, 255) + 5,
    "z added first": torch.round(tricky + 5).clamp(0, 255),
    "half up": (torch.floor(tricky + 0.5) + 5).clamp(0, 255),
    "half away from zero": (away + 5).clamp(0, 255),
}
print(f"{'x':20}", "".join(f"{v:7.4g}" for v in tricky.tolist()))
for name, codes in rows.items():
    print(f"{name:20}", "".join(f"{int(v):7}" for v in codes.tolist()))

# %% [markdown] slideshow={"slide_type": "notes"}
# 前两行完全相同。先加零点的那一行，六个半整数全错，因为 5 是奇数；最后两行各错一部分半整数，错的也不相同。在这张表里，其余的数值没有差别。

# %% [markdown] slideshow={"slide_type": "subslide"}
# 再看三种实现：PyTorch 导出模型时用的算子，PyTorch 的旧算子，以及 onnxruntime。它们的结果可能随版本和处理器而变，所以这张表只供对照。如果缺少某个软件包，那一行会写明原因。

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def onnx_operator(op, out, *inputs):
    """A function without arguments that runs one ONNX operator on these tensors."""
    from onnx import TensorProto, helper
    from onnxruntime import InferenceSession, SessionOptions

    arrays = {f"i{k}": t.contiguous().numpy() for k, t in enumerate(inputs)}
    kind, info = helper.np_dtype_to_tensor_dtype, helper.make_tensor_value_info
    ins = [info(name, kind(a.dtype), a.shape) for name, a in arrays.items()]
    node, y = helper.make_node(op, list(arrays), ["y"]), info("y", getattr(TensorProto, out), None)
    graph, opset = helper.make_graph([node], op, ins, [y]), [helper.make_opsetid("", 13)]
    model, options = helper.make_model(graph, opset_imports=opset, ir_version=8), SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = InferenceSession(model.SerializeToString(), options)
    return lambda: torch.from_numpy(session.run(None, arrays)[0])

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def old_torch(x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is on its way out of torch
        return torch.quantize_per_tensor(x, 1.0, 5, torch.quint8).int_repr()


def torch_export(x):
    import torch.ao.quantization.fx._decomposed  # registers the operator

    return torch.ops.quantized_decomposed.quantize_per_tensor(x, 1.0, 5, 0, 255, torch.uint8)


def onnxruntime(x):
    return onnx_operator("QuantizeLinear", "UINT8", x, torch.tensor(1.0), torch.tensor(5).byte())()

# %% tags=["nbval-ignore-output"]
# Depends on versions, on the processor and on what is installed, so it is not compared.
print(f"{'x':21}", "".join(f"{v:7.4g}" for v in tricky.tolist()))
for name, function in {
    "quantcore": unit.quantize, "onnxruntime": onnxruntime,
    "quantized_decomposed": torch_export, "quantize_per_tensor": old_torch,
}.items():
    try:
        print(f"{name:21}", "".join(f"{v:7}" for v in function(tricky).tolist()))
    except (ImportError, AttributeError, RuntimeError) as error:
        print(f"{name:21}  {type(error).__name__}: {str(error).splitlines()[0][:60]}")

# %% [markdown] slideshow={"slide_type": "notes"}
# onnxruntime 和 `quantized_decomposed` 与定义一致。`quantize_per_tensor` 在常见的 x86 处理器上先加零点，就是上一章说过的那种次序。PyTorch 已经宣布要删除这个算子，可是许多旧模型的结果是由它算出的。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 除以步长，还是乘它的倒数 ★
#
# 这一小节可以略过，结论是：PyTorch 的伪量化用乘 $1/s$ 代替除以 $s$，在紧挨着半整数的地方，两者可能差一个编码。
#
# 取 $s = 0.01$，$x$ 取 $(k + \tfrac12)\,s$，都存成 float32。`Fraction` 能把两个浮点数的商精确地表示出来，所以可以知道真正的商在半整数的哪一边。
#
# **【预测】** 127 个值里，除法和乘法各有多少个得不到真正的商所对应的整数？

# %% tags=["predict"] slideshow={"slide_type": "skip"}
s = torch.tensor(0.01)
x = ((torch.arange(127) + 0.5) * s.double()).float()
exact = [Fraction(v) / Fraction(s.item()) for v in x.tolist()]
nearest = torch.tensor([round(f) for f in exact])  # round() of a Fraction: halves to even
for name, u in (("x / s", x / s), ("x * (1/s)", x * (1 / s))):
    print(f"{name:10} differs from the exact quotient: {(torch.round(u) != nearest).sum()} of 127")
k = 11
print(f"x = {x[k]:.3f}: exact {float(exact[k]):.7f}, x / s {x[k] / s:.7f}", end=", ")
print(f"x * (1/s) {x[k] * (1 / s):.7f}")
fake = torch.fake_quantize_per_tensor_affine(x, s.item(), 0, -128, 127) / s
ours = UniformQuantizer(QuantizationParams(s, torch.tensor(0), -128, 127)).quantize(x)
print(f"code: quantcore {ours[k].item()}, torch.fake_quantize {fake[k].round().int().item()}")

# %% [markdown] slideshow={"slide_type": "skip"}
# 两种算法都要在浮点数里舍入，出错的次数也差不多。看 $x = 0.115$：真正的商略小于 11.5，除法却把商舍入到 11.5，再取偶数得 12；这一次是乘法碰巧对了。所以不能说除法更精确，只能说定义规定的是浮点除法，`quantcore` 和 onnxruntime 以定义为准。差别只有一个编码，对准确率几乎没有影响；可是要求两个程序**逐位相同**时，它会让人找上半天。
#
# 乘法还有一种极端情形：$s$ 太小时 $1/s$ 溢出成无穷大，而 $0 \cdot \infty$ 是 NaN。

# %% slideshow={"slide_type": "skip"}
s = torch.tensor(1e-39)
x = torch.tensor([0.0, 1.0, 2.0]) * s
tiny = UniformQuantizer(QuantizationParams(s, torch.tensor(0), -128, 127))
print("1 / s =", (1 / s).item(), "  x * (1/s) =", (x * (1 / s)).tolist())
print("quantcore, x / s:", tiny.quantize(x).tolist())

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 乘积展开成四项
#
# 现在来做乘法。下图是全程：8 位的编码进去，在 32 位里相乘、相加，乘一个数 $M$ 并舍入，加零点，截断，8 位的编码出来。本章余下的部分把图里的每一个方框讲清楚。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 指着图从左讲到右，每一段问一遍：这里的数是几位？

# %% tags=["fold"]
schematics.integer_layer()

# %% [markdown] slideshow={"slide_type": "subslide"}
# 输入 $x$ 的编码是 $q_1$，参数是 $s_1$、$z_1$；权重 $w$ 的编码是 $q_2$，参数是 $s_2$、$z_2$。乘积矩阵的一个元素是 $K$ 个乘积之和：
#
# $$
# \sum_{k=1}^{K} x_k w_k = s_1 s_2 \sum_{k=1}^{K} (q_{1,k} - z_1)(q_{2,k} - z_2)
# $$
#
# 缩放因子提到了求和号外面，里面全是整数。可是 $q - z$ 已经不是 8 位的数，而硬件里现成的是“8 位编码乘 8 位编码”的指令，所以要把括号展开。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** 取 $q_1 = (3, 5)$，$z_1 = 1$，$q_2 = (2, 4)$，$z_2 = 3$。先直接算 $\sum_k (q_{1,k} - 1)(q_{2,k} - 3)$，再把每个括号乘开，分别求和，看看由哪几部分组成。请填入直接算的和。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 纸笔 2 分钟。四项都写出来的人，后面的零点就不会丢。

# %%
exercises.predict("four-terms-sum")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 直接算：$2 \cdot (-1) + 4 \cdot 1 = 2$。
#
# 乘开以后有四部分：$\sum q_1 q_2 = 6 + 20 = 26$；$-z_2 \sum q_1 = -3 \cdot 8 = -24$；$-z_1 \sum q_2 = -1 \cdot 6 = -6$；最后 $z_1 z_2 = 3$ 每一项都有，共 $K = 2$ 次，得 6。合计 $26 - 24 - 6 + 6 = 2$，与直接算相同。
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# 对一般的 $K$ 也是这四项：
#
# $$
# \underbrace{\sum_k q_{1,k}\, q_{2,k}}_{1} \;\underbrace{-\; z_2 \sum_k q_{1,k}}_{2} \;\underbrace{-\; z_1 \sum_k q_{2,k}}_{3} \;\underbrace{+\; K z_1 z_2}_{4}
# $$
#
# 〔[I1](06_summary.ipynb#公式总表)〕

# %% [markdown]
# **【思考】** 运行之前，权重已经知道，输入还不知道。哪几项可以预先算好？有人说“零点自己会抵消”，对吗？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 问：哪几项可以在部署之前算好？请一人上来圈出。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 第 1 项和第 2 项含有 $q_1$，只能在运行时计算；第 2 项与列无关，输入的一行只需算一次。第 3、4 项不含 $q_1$，却含有 $z_1$，所以要看 $z_1$ 什么时候知道（[量化参数](03_params.ipynb#5-静态范围与动态范围)一章讲过这两种做法）：
#
# - **静态量化**（static）：输入的范围由校准数据事先定好，$z_1$ 已知，第 3、4 项都可以预先算好，并入偏置；
# - **动态量化**（dynamic）：每一批输入临时定范围，能预先算的只有 $\sum_k q_{2,k}$。
#
# 零点不会抵消，四项一般都不是零。如果权重对称，$z_2 = 0$，第 2、4 项就消失了，静态量化时，剩下的第 3 项又可以预先算好。这是权重多用对称量化的一个主要原因（[Nagel 等，2021](references.ipynb)）。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 在一个真正的层上检验
#
# 取手写数字识别网络的最后一层。输入是前一层 ReLU 之后的 512 个数，输出是十个类别的得分。采用[静态范围](03_params.ipynb#5-静态范围与动态范围)：输入和输出的范围只用**训练**图片来定，测试图片留着检验。如果用测试图片定范围，报出的准确率就偏于乐观。为了让四项都不为零，输入和权重都用非对称的 8 位量化。

# %% slideshow={"slide_type": "skip"}
network = samples.digits_network()
train_images, _, test_images, labels = samples.digits()
front, layer = network[:-1], network[-1]
x_train, x_test = front(train_images), front(test_images)
w, bias = layer.weight.T.contiguous(), layer.bias
Q1, Q2 = fit(x_train, 8, symmetric=False), fit(w, 8, symmetric=False)
Q3 = fit(layer(x_train), 8, symmetric=False)
z1, z2, z3 = (Q.params.zero_point.item() for Q in (Q1, Q2, Q3))
q1, q2 = Q1.quantize(x_test), Q2.quantize(w)
print("input", tuple(q1.shape), q1.dtype, "  weight", tuple(q2.shape), q2.dtype)
print("zero points:", z1, z2, z3)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** $z_2 = 3$ 很小，$z_1 = -128$ 很大。四项里哪一项可以忽略？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 让学生按大小排四项，再看数。

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
i1, i2, K = q1.int(), q2.int(), len(q2)  # int32: sums do not fit 8 bits
terms = [i1 @ i2, -z2 * i1.sum(1, keepdim=True), -z1 * i2.sum(0), torch.tensor(K * z1 * z2)]
terms = [t.int() for t in terms]
print("dtype of the sums:", terms[0].dtype)
print("four terms = product:", torch.equal(sum(terms), (i1 - z1) @ (i2 - z2)))
print("mean size of each term:", [f"{t.double().abs().mean().item():.1e}" for t in terms])

# %% [markdown] slideshow={"slide_type": "notes"}
# 四项的大小属于同一个数量级，哪一项都不能省。$z_2$ 虽小，第 2 项里乘的却是 512 个编码之和。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 让谁对称
#
# 权重对称可以省掉第 2、4 项，输入对称可以省掉第 3、4 项。代价是对称的网格可能浪费编码。下面的图画的是权重。
#
# **【操作】** 先估计，再操作：保持 8 位，勾选与取消“对称”，量化信噪比（SQNR）相差多少？降到 4 位，差别变大还是变小？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 权重改成对称，8 位和 4 位各损失多少？先写再动。

# %%
explore.quantization(layer.weight, bits=8, symmetric=True)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 输入是 ReLU 的输出，没有负数。对输入做同样的比较，SQNR 会差多少分贝？

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("SQNR, dB        symmetric   asymmetric   difference")
for name, data in (("weight", w), ("input", x_train)):
    for bits in (8, 4):
        db = [sqnr_db(data, fit(data, bits, symmetric)(data)) for symmetric in (True, False)]
        print(f"{name:7} {bits} bits {db[0]:10.1f} {db[1]:12.1f} {db[1] - db[0]:12.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 权重大致以 0 为中心，改成对称，8 位时几乎没有损失，4 位时损失近 1 dB；输入没有负数，改成对称就浪费一半编码，损失 6 dB 以上，也就是 1 位。所以常见的搭配是**权重对称、输入非对称**。静态量化时，运行中只剩第 1 项，第 3 项在部署前并入偏置。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 累加器要几位
#
# 存放和的变量叫**累加器**（accumulator）。设两个因子的绝对值分别不超过 $a_1$ 和 $a_2$，$K$ 项之和不超过 $K a_1 a_2$。要让和放进 $B$ 位的有符号整数，只需
#
# $$
# K \le \left\lfloor \frac{2^{B-1} - 1}{a_1 a_2} \right\rfloor
# $$
#
# 〔[I4](06_summary.ipynb#公式总表)〕

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 累加器多少位，取决于加几项。请学生写出不等式。

# %% [markdown] slideshow={"slide_type": "notes"}
# 这里要分清两种因子。第 1 项乘的是**编码** $q$，绝对值不超过 128；四项合起来等于 $\sum (q_1 - z_1)(q_2 - z_2)$，里面的 $q - z$ 是两个编码之差，绝对值可以达到 255，是一个 9 位的数。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** [量化方案](02_schemes.ipynb)一章说过，有的程序先在 16 位里加两个乘积，再加进 32 位的累加器。对编码 $q$，16 位能加几项？一个因子不取 $-128$ 呢？对 $q - z$，两边都非对称呢？请填入最后一种的项数。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 两章说法不同：编码相乘，还是减了零点再相乘？请学生自己找出区别。

# %%
exercises.predict("int16-terms")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("factors                    largest product   K in int16   K in int32")
for name, a1, a2 in (
    ("q, both in -128..127", 128, 128),
    ("q, one in -127..127", 127, 128),
    ("q - z, both asymmetric", 255, 255),
    ("q - z, weight symmetric", 255, 127),
):
    print(f"{name:26}{a1 * a2:16}", "".join(f"{(2**B // 2 - 1) // (a1 * a2):13}" for B in (16, 32)))
K_max = (2**31 - 1) // 255**2
for terms_added in (K_max, K_max + 1):
    squares = torch.full((terms_added,), 255**2, dtype=torch.int32)
    print(f"{terms_added} terms of 255^2, int32 sum: {squares.sum(dtype=torch.int32)}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 所以要看乘的是什么：编码乘编码，只要有一个因子不取 $-128$，16 位恰好能加两个乘积；先减零点再相乘，两边都非对称时，16 位连一个乘积也放不下。32 位的累加器在最坏的情形下能加三万多项，多加一项就绕回成负数。`integer_matmul` 遇到放不下的和会报错，不会悄悄绕回。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 没有专用指令的 x86 处理器 ★
#
# 这一小节可以略过，结论是：在较旧的 x86 处理器上，16 位的中间和会饱和，所以有的框架只用 7 位。
#
# 没有 VNNI 指令集的 x86 处理器用指令 `vpmaddubsw` 做 8 位乘法：把两个“无符号乘有符号”的乘积相加，结果存成 16 位，放不下就饱和。两个乘积最大是 $2 \cdot 255 \cdot 127$，超过 32767。对策是选项 `reduce_range`，把一个因子减到 7 位：PyTorch 减的是输入，onnxruntime 减的是权重。

# %% slideshow={"slide_type": "skip"}
generator = torch.Generator().manual_seed(0)
u8 = torch.randint(0, 256, (64, 512), generator=generator)
s8 = torch.randint(-128, 128, (512, 64), generator=generator)
for name, left, right in (("8 bits", u8, s8), ("7-bit input", u8 // 2, s8),
                          ("7-bit weight", u8, s8 >> 1)):
    pairs = (left[:, :, None] * right).view(64, 256, 2, 64).sum(2)  # two products each
    kept = pairs.clamp(-(2**15), 2**15 - 1)
    print(f"{name:13} largest {pairs.abs().max().item():6}", end="   ")
    print(f"saturated {(kept != pairs).float().mean():.3f}", end="   ")
    print("sums right:", torch.equal(kept.sum(1), left @ right))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 从累加和回到编码
#
# 求出的和是 32 位整数，要变成输出的 8 位编码。先并入偏置。偏置也要变成整数，缩放因子取 $s_1 s_2$，这样才能和累加和直接相加：$q_{\mathrm{bias}} = \operatorname{rint}\bigl(\mathrm{bias} / (s_1 s_2)\bigr)$，存成 int32。把四项之和加上 $q_{\mathrm{bias}}$，记为 $\mathrm{acc}$。
#
# 输出的参数是 $s_3$、$z_3$。实数 $s_1 s_2 \cdot \mathrm{acc}$ 的编码应当是
#
# $$
# q_3 = \operatorname{clamp}\bigl(z_3 + \operatorname{rint}(M \cdot \mathrm{acc}),\ q_{\min},\ q_{\max}\bigr), \qquad M = \frac{s_1 s_2}{s_3}
# $$
#
# 〔[I3](06_summary.ipynb#公式总表)〕

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 这一步叫重新量化。问：为什么不直接除？

# %% [markdown] slideshow={"slide_type": "notes"}
# 这一步叫**重新量化**（requantization）。偏置舍入的误差不超过半个 $s_1 s_2$，折合成输出的编码只有 $M/2$，而 $M$ 通常远小于 1，所以可以忽略。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【思考】** 有人说：先把输入和权重都换成输出的参数 $(s_3, z_3)$，再相乘，就不用 $M$ 了。错在哪里？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# “看起来更简单”的做法错在哪里，请学生用一个小数试。

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 错在三处。第一，乘积的缩放因子是两个因子的缩放因子之积，即 $s_3^2$，不是 $s_3$。第二，即使改成 $s_3^2$，要得到以 $s_3$ 为缩放因子的编码，仍须再乘一次 $s_3$，小数的乘法并没有省掉。第三，$s_3$ 是按输出的范围定的，比 $s_1$、$s_2$ 大得多，用它量化输入和权重，步长太粗。
#
# 正确的做法是只换一次缩放因子，换的是**和**。
#
# </details>

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
product = x_test @ w
s1, s2, s3 = (Q.params.scale.double() for Q in (Q1, Q2, Q3))
coarse = (Q3.quantize(x_test).int() - z3) @ (Q3.quantize(w).int() - z3)
print("SQNR of the product, dB")
for name, estimate in (
    ("factors requantized, scale s3  ", s3 * coarse),
    ("factors requantized, scale s3^2", s3**2 * coarse),
    ("the sum, scale s1 s2           ", s1 * s2 * sum(terms)),
):
    print(f"{name} {sqnr_db(product, estimate):7.1f}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 把乘数写成整数
#
# $M$ 是小数，芯片上只有整数。把 $M$ 写成**定点数**（fixed point），也就是一个整数除以 2 的幂（[Jacob 等，2018](references.ipynb)）：
#
# $$
# M \approx m \cdot 2^{-31} \cdot 2^{-n}, \qquad 2^{30} \le m < 2^{31}
# $$
#
# 〔[I2](06_summary.ipynb#公式总表)〕

# %% [markdown]
# 求法只有两步。第一步，把 $M$ 反复乘 2，直到落在 $[\tfrac12, 1)$ 里，乘的次数就是 $n$。第二步，$m = \operatorname{rint}(2^{n} M \cdot 2^{31})$。$m$ 的舍入误差不超过 $\tfrac12$，而 $m \ge 2^{30}$，所以 $M$ 的相对误差不超过 $2^{-31}$。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** $M = 0.3$，求 $n$ 和 $m$。（$2^{31} = 2\,147\,483\,648$。）请填入 $n$。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先写成 0.3 乘 2 的几次方，再取整数。

# %%
exercises.predict("multiplier-shift")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# $0.3$ 乘一次 2 得 $0.6$，已经在 $[\tfrac12, 1)$ 里，所以 $n = 1$。$0.6 \cdot 2^{31} = 1\,288\,490\,188.8$，所以 $m = 1\,288\,490\,189$。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# 照这两步写成代码（$M \ge 1$ 时反过来除以 2，$n$ 是负数；$m$ 舍入到 $2^{31}$ 时进位）：

# %% slideshow={"slide_type": "skip"}
def multiplier(M):
    n = 0
    while M < 0.5:
        M, n = 2 * M, n + 1
    while M >= 1:
        M, n = M / 2, n - 1
    m = round(M * 2**31)
    return (m, n) if m < 2**31 else (2**30, n - 1)

# %% slideshow={"slide_type": "skip"}
M = (s1 * s2 / s3).item()  # of our layer
print(f"{'M':>14} {'m':>12} {'n':>4}   relative error   same as quantcore")
for value in (0.3, 0.0043659, 1.5, 1 - 2**-40):
    m, n = multiplier(value)
    error = abs(m * 2.0 ** (-31 - n) / value - 1)
    same = (m, n) == tuple(t.item() for t in fixed_point_multiplier(value))
    print(f"{value:14.12g} {m:12} {n:4}   <= 2^-31: {error <= 2**-31!s:7}   {same}")
m, n = multiplier(M)
print(f"our layer: M = {M:.3e}, m = {m / 2**31:.4f} * 2^31, n = {n}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 乘、取高位、右移
#
# 有了 $m$ 和 $n$，$M \cdot \mathrm{acc}$ 分两步来算。先乘 $m$，除以 $2^{31}$ 并舍入：32 位乘 32 位得 64 位，除以 $2^{31}$ 大致就是取高的一半。再右移 $n$ 位，也要舍入。（$n < 0$ 时不右移，而是先把 acc 左移；`quantcore` 的 `requantize` 照顾到了这种情形。）$n \ge 0$ 时，每一步只要一行：

# %% slideshow={"slide_type": "fragment"}
def high_half(acc, m):  # acc m / 2^31, halves go up
    return (acc * m + 2**30) >> 31


def shift_right(y, n):  # y / 2^n, halves go away from zero
    return y.sign() * ((y.abs() + ((1 << n) >> 1)) >> n)


sums = torch.arange(-30_000, 30_000)
for value in (2**-0.5, 0.3, 0.0625, 2**-7.5):
    m, n = multiplier(value)
    ours = shift_right(high_half(sums, m), n)
    print(f"M = {value:.4f}", torch.equal(ours, requantize(sums, torch.tensor(m), torch.tensor(n))))

# %% [markdown] slideshow={"slide_type": "notes"}
# 四个 $M$ 都与 `requantize` 相同。注释里说了，两步遇到半整数时规则不同，也都不是 $\operatorname{rint}$。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【计算】** $M = \tfrac12$（$m = 2^{30}$，$n = 0$），acc 取 $1, -1, 3, -3$，各得几？$M = \tfrac18$（$m = 2^{30}$，$n = 2$），acc 取 $4, -4, 12, -12$ 呢？请填入 $M = \tfrac18$、acc 取 $-4$ 的结果。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 请学生盯住一个半整数，两步各走到哪里？

# %%
exercises.predict("shifted-half")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
for value, some in ((0.5, [1, -1, 3, -3]), (0.125, [4, -4, 12, -12])):
    m, n = multiplier(value)
    got = shift_right(high_half(torch.tensor(some), m), n).tolist()
    print(f"M = {value:5}  exact {[value * a for a in some]}  got {got}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 第一行都在“取高位”处遇到半整数，一律向上；第二行都在“右移”处遇到，一律向远离零的方向。为什么用两种规则？半整数一律向上最便宜，加 $2^{30}$ 再移位就行，ARM 处理器用一条指令（SQRDMULH）就能完成，而对多数乘数来说，乘积的低 31 位恰好是一半的机会极小，偏差可以不计。右移只丢掉 $n$ 位，恰好是一半的机会有 $2^{-n}$；如果也一律向上，正负两边就抵消不了，每一层都往上偏一点。向远离零的方向舍入，正负对称，大致可以抵消（[Jacob 等，2018](references.ipynb)，附录 B）。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 舍入两次，差多少
#
# 舍入了两次，就有[上一章](04_quantizer.ipynb)说过的**二次舍入**。与只舍入一次相比，出错的比例大约是
#
# $$
# 2^{-(n+1)}, \qquad n \ge 1
# $$
#
# 〔[I5](06_summary.ipynb#公式总表)〕

# %% [markdown]
# 补救的办法是只舍入一次：保留 64 位的乘积，一次移动 $31 + n$ 位。TensorFlow Lite 和 CMSIS-NN 都有这样的编译选项（single rounding）。代价是要做 64 位的移位，有的向量指令做不快。

# %% slideshow={"slide_type": "skip"}
def requantize_once(acc, m, n):  # acc m / 2^(31 + n), halves go up
    return (acc * m + (1 << (30 + n))) >> (31 + n)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【预测】** 与 float64 算出的 $\operatorname{rint}(M \cdot \mathrm{acc})$ 相比，舍入两次出错的编码最多差几（请填入）？只舍入一次还会出错吗？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 猜一个比例。答 0 的人忘了舍入两次。

# %%
exercises.predict("two-roundings")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("M        n   predicted   two roundings   largest   one rounding")
for value in (2**-0.5, 2**-1.5, 2**-4.5, 2**-7.5):
    m, n = multiplier(value)
    reference = torch.round(sums.double() * value).long()
    twice = (shift_right(high_half(sums, m), n) - reference).abs()
    once = (requantize_once(sums, m, n) - reference).abs()
    predicted = 2.0 ** -(n + 1) if n else 0.0
    print(f"{value:.4f} {n:3} {predicted:11.4f} {(twice > 0).double().mean():15.4f}", end="")
    print(f"{twice.max().item():10} {(once > 0).sum().item():14}")

# %% [markdown] slideshow={"slide_type": "notes"}
# $n = 0$ 时第二步什么也不做，而这张表里没有一个乘积恰好是半整数，所以两种做法都不出错。其余三行里，$n$ 越小，舍入两次错得越多，但至多差一个编码。我们这一层 $n = 11$，按这个比例，四千多个编码里大约只错一个。参照值要用 float64：`acc * M` 在 PyTorch 里是 float32，参照值自己就舍入过一次，会把错误算到别人头上。

# %% [markdown] slideshow={"slide_type": "skip"}
# ### 为什么是这个比例 ★
#
# 这一小节推导 $2^{-(n+1)}$，可以略过。
#
# 设 $v = M \cdot \mathrm{acc} \cdot 2^n$，第一步得到整数 $y$，即离 $v$ 最近的整数。只舍入一次时，结果由 $v/2^n$ 在半整数的哪一边决定；舍入两次时，由 $y/2^n$ 决定。两者不同，只能是 $y/2^n$ 恰好是半整数，而 $v$ 略偏向 0 的一侧：第二步向远离零的方向舍入，只舍入一次则应向零的方向。$y$ 的低 $n$ 位恰好是 $100\cdots0$ 的概率是 $2^{-n}$；此时 $v$ 落在 $y$ 的两侧各占一半。所以出错的比例是 $2^{-n} \cdot \tfrac12 = 2^{-(n+1)}$。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 一个真正的层
#
# 把各步接起来。部署之前算好 $m$、$n$ 和整数偏置；运行时只有整数运算：四项之和，加偏置，重新量化，加 $z_3$，截断。

# %% slideshow={"slide_type": "skip"}
m, n = fixed_point_multiplier(M)
q_bias = torch.round(bias / (s1 * s2)).long()


def finish(acc, m, n):
    return (z3 + requantize(acc, m, n)).clamp(Q3.params.qmin, Q3.params.qmax)


acc = sum(terms).long() + q_bias
q3 = finish(acc, m, n)
print(f"largest sum {acc.abs().max().item():.1e}", end="   ")
print(f"bias off by at most {(q_bias - bias / (s1 * s2)).abs().max() * M:.0e} of a code")
without_bias = integer_matmul(q1, q2, Q1.params, Q2.params, Q3.params)  # it knows no bias
print("same as integer_matmul:", torch.equal(finish(sum(terms).long(), m, n), without_bias.long()))

# %% [markdown]
# **激活函数可以免费。** 如果后面接 ReLU，输出的范围从 0 开始，$z_3 = q_{\min}$，0 的编码就是最小的编码。最后那次截断已经把负数变成了 0 的编码，ReLU 不必另做。

# %% slideshow={"slide_type": "fragment"}
Q_relu = fit(layer(x_train).relu(), 8, symmetric=False)
p = Q_relu.params
m_relu, n_relu = fixed_point_multiplier(s1 * s2 / p.scale.double())
codes = [
    (p.zero_point + requantize(total, m_relu, n_relu)).clamp(p.qmin, p.qmax)
    for total in (acc, acc.clamp(min=0))
]
print(f"zero point {p.zero_point.item()}; the clamp is the ReLU:", torch.equal(*codes))

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 与伪量化比较
#
# [上一章](04_quantizer.ipynb)的伪量化把值放到网格上，再用浮点数相乘。训练时看到的是伪量化的结果，部署后运行的是整数。两者一致吗？下面用三种精度做伪量化的层：float64、float32，以及 bfloat16（网格上的值和层的输出都存成 bfloat16）。
#
# **【预测】** 三种精度的伪量化，各有百分之几的编码与整数的结果不同？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 三种精度先排序，再看百分比。

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
def correct(scores):
    return (scores.argmax(1) == labels).sum().item()


print(f"{'':17} codes that differ   largest   right of {len(labels)}")
print(f"{'float, no codes':17} {'':28} {correct(layer(x_test)):12}")
print(f"{'integer only':17} {'':28} {correct(q3):12}")
for dtype in (torch.float64, torch.float32, torch.bfloat16):
    kept_in = torch.float32 if dtype == torch.bfloat16 else dtype  # the sum
    x_hat, w_hat = (t.to(dtype).to(kept_in) for t in (Q1(x_test), Q2(w)))
    codes = Q3.quantize((x_hat @ w_hat + bias).to(dtype))
    off = (codes - q3).abs()
    share = (off > 0).double().mean().item()
    print(f"{str(dtype)[6:]:17} {share:17.0%} {off.max().item():10} {correct(codes):12}")

# %% [markdown] slideshow={"slide_type": "notes"}
# float64 和 float32 与整数的结果几乎处处相同，不同的编码只差 1，来自二次舍入和偏置的舍入。bfloat16 只有 8 个二进制有效位，不同的编码就多得多，不过也只差 1。所以，伪量化能预测部署后的**准确率**。要连编码也几乎处处相同，条件是：两边用同样的参数、同样的偏置；浮点数的有效位足够多，float32 够，bfloat16 不够；层与层之间的每一个算子（相加、拼接、池化）也照同样的方式重新量化。
#
# 实际的运行库还可能用别的办法重新量化。onnxruntime 的 `QLinearMatMul` 用浮点数乘 $M$，只舍入一次。为了让样本多一些，换成一个 512×512 的随机矩阵，与自己相乘：

# %% tags=["nbval-ignore-output"] slideshow={"slide_type": "skip"}
# Belongs to the version of onnxruntime, if it is there at all.
square = torch.randn(512, 512, generator=torch.Generator().manual_seed(0))
Q4, Q5 = fit(square, 8), fit(square @ square, 8)
i8, M45 = Q4.quantize(square), Q4.params.scale.double() ** 2 / Q5.params.scale.double()
ideal = torch.round((i8.double() @ i8.double()) * M45).clamp(-128, 127)  # one rounding
twice = integer_matmul(i8, i8, Q4.params, Q4.params, Q5.params)
expected = 2.0 ** -(fixed_point_multiplier(M45)[1].item() + 1) * twice.numel()
print(f"two roundings: {(twice != ideal).sum().item()} codes off, predicted {expected:.0f}")
side4, side5 = ([Q.params.scale, Q.params.zero_point.char()] for Q in (Q4, Q5))
try:
    theirs = onnx_operator("QLinearMatMul", "INT8", i8, *side4, i8, *side4, *side5)()
    print("onnxruntime:  ", (theirs != ideal).sum().item(), "codes off")
except ImportError as error:
    print(error)

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 丢掉一项零点
#
# **【预测】** 故意丢掉第 2 项、第 3 项或第 4 项，准确率会降到多少？如果权重改成逐通道的非对称量化，每一列有自己的 $z_2$，结果又如何？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 故意丢一项，准确率会怎样？多数人说会垮，其实要看丢的是哪一项。

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
per_channel = fit(w, 8, symmetric=False, axis=1)
i2c, s12c = per_channel.quantize(w).int(), s1 * per_channel.params.scale.double()
z2c = per_channel.params.zero_point.int()
terms_c = (i1 @ i2c, -z2c * i1.sum(1, keepdim=True), -z1 * i2c.sum(0), K * z1 * z2c)
print("zero points of the columns:", z2c.tolist())
print(f"per tensor, per channel: right of {len(labels)}, SQNR in dB")
for dropped in (None, 1, 2, 3):
    print(f"dropped: {dropped + 1 if dropped else 'none':<4}", end="")
    for parts, scale in ((terms, s1 * s2), (terms_c, s12c)):
        total = sum(t for i, t in enumerate(parts) if i != dropped).long()
        total = total + torch.round(bias / scale).long()
        codes = finish(total, *fixed_point_multiplier(scale / s3))
        db = sqnr_db(layer(x_test), Q3.dequantize(codes.to(torch.int8)))
        print(f"{correct(codes):10} {db:7.1f}", end="")
    print()

# %% [markdown] slideshow={"slide_type": "notes"}
# 逐张量时，丢掉第 2 项或第 4 项，准确率几乎没变，SQNR 却是负数，也就是说输出的值全错了。

# %% [markdown] slideshow={"slide_type": "subslide"}
# **【思考】** 为什么准确率看不出来？为什么逐通道时就看出来了？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 停在这里 30 秒：准确率没变，能说没有错吗？

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>参考答案</summary>
#
# 只有一个 $z_2$ 时，第 2 项只与输入的那一行有关，第 4 项是常数。丢掉其中一项，同一张图片的十个得分一起平移，最大的还是最大的，除非平移到截断的地方。第 3 项每一列不同，丢掉这一项，得分的次序就乱了。
#
# 逐通道时每一列有自己的 $z_2$，第 2、4 项也逐列不同，丢掉任何一项都会打乱次序。
#
# 可见只看准确率，有可能放过错误的实现。这一层后面如果还有一层，整体的平移也不再无害。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# 逐通道时，$s_2$、$z_2$ 是每列一个的向量，$M$、$m$、$n$ 和 $q_{\mathrm{bias}}$ 也都是每列一个。公式没有变，代码只是多了广播。

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### 缩放因子不能沿求和的方向变
#
# 如果每个 $k$ 有自己的 $s_k$，那么 $\sum_k s_k\,(q_{1,k} - z_1)(q_{2,k} - z_2)$ 里的 $s_k$ 提不到求和号外面，每一项都要先乘一个小数，整数乘法的好处就没有了。沿另外两个方向变化呢？

# %% [markdown] slideshow={"slide_type": "notes"}
# 这里 `w` 的形状是 `(512, 10)`，也就是（输入，输出），输出通道在第 1 维。

# %% [markdown]
# **【预测】** 权重取 `axis=1`；权重取 `axis=0`；权重取 `axis=1`，输入再取 `axis=0`（每行一个）。三种情形里，`integer_matmul` 接受哪几种？

# %%
exercises.predict("scale-along-sum")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
for name, inputs, weights in (
    ("weight axis=1", Q1, fit(w, 8, axis=1)),
    ("weight axis=0", Q1, fit(w, 8, axis=0)),
    ("input axis=0", fit(x_test, 8, symmetric=False, axis=0), fit(w, 8, axis=1)),
):
    codes = inputs.quantize(x_test), weights.quantize(w)
    try:
        q = integer_matmul(*codes, inputs.params, weights.params, Q3.params)
        print(f"{name}  SQNR of the product {sqnr_db(product, Q3.dequantize(q)):.1f} dB")
    except ValueError as error:
        print(fill(f"{name}  ValueError: {error}", 90))

# %% [markdown] slideshow={"slide_type": "notes"}
# 权重的每一列（输出通道）可以有自己的 $s_2$，输入的每一行（一张图片、一个词元）可以有自己的 $s_1$：它们在一个和里是常数，提得到求和号外面。

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6 准确率不是速度
#
# **【预测】** 还是两个 512×512 的矩阵相乘，下面六种做法谁最快，谁最慢？最后三行都用处理器的整数指令，其中 onnxruntime 的两行只差左边的编码有没有符号。

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 先表决：int8 的模拟会比 float32 快，还是慢？

# %% tags=["fold"] slideshow={"slide_type": "skip"}
def milliseconds(make):
    try:
        run = make()
        run()
    except (ImportError, AttributeError, RuntimeError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:60]}"
    times = []
    for _ in range(20):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return f"{min(times) * 1000:7.2f} ms"  # the least: the rest is what else the machine did

# %% tags=["predict", "nbval-ignore-output"] slideshow={"slide_type": "fragment"}
# Times belong to the machine, so this output is not compared.
unsigned = i8.clamp(min=0).byte()
for name, make in {
    "float32": lambda: lambda: square @ square,
    "simulated int8": lambda: lambda: Q4(square) @ Q4(square),
    "integer_matmul": lambda: lambda: integer_matmul(i8, i8, Q4.params, Q4.params, Q5.params),
    "torch int8 x int8": lambda: lambda: torch._int_mm(i8, i8),
    "onnxruntime int8 x int8": lambda: onnx_operator("MatMulInteger", "INT32", i8, i8),
    "onnxruntime uint8 x int8": lambda: onnx_operator("MatMulInteger", "INT32", unsigned, i8),
}.items():
    print(f"{name:25} {milliseconds(make)}")

# %% [markdown] slideshow={"slide_type": "notes"}
# 伪量化（表中的 simulated int8）比浮点慢：做的仍是浮点乘法，还多了量化和反量化。`integer_matmul` 是为教学而写的，以每一步清晰可见为目标，没有优化速度。

# %% [markdown] slideshow={"slide_type": "notes"}
# 8 位真正变快，靠的是处理器的 8 位乘加指令，以及为这些指令写的程序。在生成这一页的电脑（有 VNNI 指令集）上，`torch` 的整数乘法和 onnxruntime 的“无符号乘有符号”比浮点快几倍；同一个 onnxruntime，换成“有符号乘有符号”，没有走快速路径，反而比浮点还慢。所以速度只能在目标机器上实测，不能从位宽推算。省下的内存流量则是确定的，[信息论基础](01_information_theory.ipynb)一章量过。

# %% [markdown] slideshow={"slide_type": "skip"}
# ## 练习
#
# 这些练习留到课后做。每一题先写答案，再运行下一个单元格检查；检查不通过时，会给出最小的反例和提示。还没有动手的题，检查只会说“还没有完成”。

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（8 分钟，难度 2/3）写出 `my_terms(q1, q2, z1, z2)`：`q1`、`q2` 是同样长的一维 `torch.int8` 张量，`z1`、`z2` 是整数。按照 I1 的次序返回乘开后的四项（连同正负号），四个整数。四项之和应是 $\sum_k (q_{1,k} - z_1)(q_{2,k} - z_2)$。

# %% slideshow={"slide_type": "skip"}
def my_terms(q1, q2, z1, z2):
    return ...  # four integers

# %% slideshow={"slide_type": "skip"}
exercises.check("four-terms", my_terms)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_terms(q1, q2, z1, z2):
#     q1, q2 = q1.long(), q2.long()
#     first, last = (q1 * q2).sum().item(), len(q1) * z1 * z2
#     return first, -z2 * q1.sum().item(), -z1 * q2.sum().item(), last
# ```
#
# 先换成更宽的类型：`int8` 乘 `int8` 还是 `int8`，装不下乘积。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（5 分钟，难度 2/3）写出 `my_accumulator(terms, largest_a, largest_b)`：`terms` 个乘积相加，两个因子的绝对值各不超过 `largest_a`、`largest_b`，三个参数都是正整数。有符号的累加器至少几位才不会溢出？返回位数。

# %% slideshow={"slide_type": "skip"}
def my_accumulator(terms, largest_a, largest_b):
    return ...  # your code; int.bit_length

# %% slideshow={"slide_type": "skip"}
exercises.check("accumulator-bits", my_accumulator)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_accumulator(terms, largest_a, largest_b):
#     return (terms * largest_a * largest_b).bit_length() + 1
# ```
#
# 和的绝对值最大是三个数之积；`bit_length` 是它的位数，再加 1 位表示符号。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（5 分钟，难度 1/3）写出 `my_output(acc, M, z, qmin, qmax)`：`acc` 是已加偏置的整数和，`M` 是浮点的乘数 $M$，`z` 是输出的零点 $z_3$，`qmin`、`qmax` 是整数。按照 I3 返回输出的编码，一个整数。

# %% slideshow={"slide_type": "skip"}
def my_output(acc, M, z, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("output-code", my_output)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_output(acc, M, z, qmin, qmax):
#     return min(max(round(M * acc) + z, qmin), qmax)
# ```
#
# 零点已经是输出的编码，不乘 $M$；加完零点才截断。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（8 分钟，难度 3/3）有的芯片只有 16 位的乘法器。写出 `my_multiplier(M)`：把 $0 < M < 1$ 写成 $M \approx m \cdot 2^{-15} \cdot 2^{-n}$，整数 $m$ 在 $[2^{14}, 2^{15})$ 里；`M` 是浮点数，返回两个整数 $m$ 和 $n$。

# %% slideshow={"slide_type": "skip"}
def my_multiplier(M):
    return ...  # m, n

# %% slideshow={"slide_type": "skip"}
exercises.check("multiplier-16", my_multiplier)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_multiplier(M):
#     n = 0
#     while M < 0.5:
#         M, n = 2 * M, n + 1
#     m = round(M * 2**15)
#     return (m, n) if m < 2**15 else (2**14, n - 1)
# ```
#
# 恰好舍入到 $2^{15}$ 时要进位。相对误差不超过 $2^{-15}$。
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **【操作】**（10 分钟，难度 3/3）本章的右移把半整数向远离零的方向舍入。写一个取偶数的：`my_shift(y, n)`，`y` 和 `n` 是整数，`y` 可正可负，$n \ge 0$，返回 $y/2^n$ 舍入到最近的整数，半整数取偶数。只用整数运算。

# %% slideshow={"slide_type": "skip"}
def my_shift(y, n):
    down, rest = y >> n, y & ((1 << n) - 1)  # y = down * 2**n + rest
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("shift-even", my_shift)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>参考答案</summary>
#
# ```python
# def my_shift(y, n):
#     down, rest = y >> n, y & ((1 << n) - 1)
#     up = 2 * rest > 1 << n or (2 * rest == 1 << n and down % 2 == 1)
#     return down + up
# ```
#
# `>>` 向下取整，余数不为负。余数大于一半就加 1；恰好一半时，商是奇数才加 1。
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### 讨论
#
# **【思考】** 两个框架的输出差了一个编码。这算不算错误？验收时应当怎样规定？

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# 讨论 5 分钟：差一个编码，算不算错误？

# %% [markdown] slideshow={"slide_type": "skip"}
# 全课做到了哪里，运行下面的单元格就知道：

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 小结
#
# - 同样的 $s$、$z$，不同的实现可能差一个编码，原因有四种：半整数的舍入规则，先加 $z$，用乘 $1/s$ 代替除以 $s$，重新量化时舍入两次。
# - 量化矩阵的乘积展开成四项。第 1、2 项在运行时计算；静态量化时，第 3、4 项可以预先并入偏置。权重对称时第 2、4 项为 0。零点一般不会抵消。
# - 编码乘编码，绝对值不超过 $2^{14}$；减去零点再乘，不超过 $255^2$。$B$ 位累加器能加的项数，由 $2^{B-1} - 1$ 除以这个上界得到。
# - 缩放因子只在求和之后换一次，$M = s_1 s_2 / s_3 \approx m \cdot 2^{-31-n}$，$2^{30} \le m < 2^{31}$，相对误差不超过 $2^{-31}$。
# - 取高位时半整数向上，右移时半整数向远离零的方向。与只舍入一次相比，约有 $2^{-(n+1)}$ 的编码差 1（$n \ge 1$）。
# - 参数、偏置、重新量化的方式都相同，而且浮点数的有效数字足够多时，伪量化与整数的编码几乎处处相同。伪量化可以预测部署后的准确率，不能预测速度。
# - 检查整数实现要比较编码和 SQNR，不能只看准确率。

# %% [markdown] slideshow={"slide_type": "skip"}
# 下一章：[可视化分析](05_visualization.ipynb)，学会从图上看出量化哪里出了毛病。
