# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # Integers only: what others compute, and how a matrix product is done
#
# [The last chapter](04_quantizer.ipynb) fixed each step of the quantizer. But a network is often trained in PyTorch, then handed to ONNX Runtime or TensorFlow Lite, and sometimes put on a chip that has no floating-point unit. With the same network and the same $s$ and $z$, do they all compute the same codes? If not, at which step do they differ, and by how much?
#
# We answer in two parts. First we compare how several implementations do the step of quantizing. Then we do the product of a whole layer in integers: it begins with 8-bit codes and ends with 8-bit codes, without a single float at run time. This was proposed for phones and embedded devices ([Jacob et al., 2018](references.ipynb)).
#
# The scope should be clear as well. This chapter computes one layer, so that each step can be seen; it does not aim at speed. Many GPU programs use floats for the scales after the integer sum. Large language models often quantize only the weights, and dequantize them to float16 before multiplying; in that case there is no integer product, and the derivations of this chapter do not apply.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Begin with: the INT8 results of two libraries differ by one code; which is wrong? Perhaps neither.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **After this chapter you can:**
#
# - say for which values several implementations differ by one code, and why;
# - expand a product of quantized matrices into four terms, and say when each can be computed beforehand;
# - compute how many terms an accumulator of 16 or of 32 bits can add;
# - find the fixed-point multiplier of a given $M$ by hand, and write the code of requantization;
# - compute a layer in integers only, and say under which conditions fake quantization agrees with it.

# %% [markdown] slideshow={"slide_type": "skip"}
# | section | time |
# |:--|:--|
# | 1 How implementations differ | 10 minutes |
# | 2 The product in four terms | 25 minutes |
# | 3 How many bits an accumulator needs | 5 minutes |
# | 4 From the sum back to a code | 20 minutes |
# | 5 A real layer | 20 minutes |
# | 6 Accuracy is not speed | 5 minutes |
# | Exercises | 36 minutes |
# | Summary | 5 minutes |
# | ★ optional | 10 minutes |

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
explore.set_language("en")

# %% [markdown] slideshow={"slide_type": "skip"}
# `fit(x, bits, symmetric)`, as in the last two chapters, finds parameters from the data `x` and returns a signed quantizer.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 How implementations differ
#
# The ONNX specification lays down the steps of quantization: division by $s$, rounding, then adding $z$, and finally **clipping** (also saturation or limiting). Implementations differ mainly in two places: how ties $k + \tfrac12$ are rounded, and when $z$ is added. There are three common rules for rounding ties:
#
# | rule | written | who uses it |
# |:--|:--|:--|
# | round half to even | $\operatorname{rint}(u)$ | ONNX, PyTorch, NumPy |
# | round half up | $\lfloor u + \tfrac12 \rfloor$ | some C code written by hand, such as Q4_0 of llama.cpp: `(int)(x + 8.5)` |
# | round half away from zero | $\operatorname{round}_{\text{away}}(u) = \operatorname{sign}(u)\,\lfloor \lvert u \rvert + \tfrac12 \rfloor$ | `round` of C, TensorFlow Lite |

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Do not read the table; ask only why they differ when the formula is written down.

# %% [markdown] slideshow={"slide_type": "notes"}
# We try the same tricky values on each. Take $s = 1$, $z = 5$, UINT8. `torch.fake_quantize_per_tensor_affine` returns dequantized values; adding $z$ back gives the codes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** We compare five rows: `quantcore`, `torch.fake_quantize`, zero point first, half up, half away from zero. Which rows are identical? In the column $x = -2.5$, what does each row give? Enter the code of the last row.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Choose the most suspicious value, and let students say what each of the five rows makes of it.

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
# The first two rows are identical. Adding the zero point first is wrong for all six ties, because 5 is odd. The last two rows are each wrong for some of the ties, and not for the same ones. For the other values in this table there is no difference.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Three more implementations: the operators with which PyTorch exports models, the old operator of PyTorch, and onnxruntime. Their results may change with the version and the processor, so this table is only for comparison. If a package is missing, its row says why.

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
# onnxruntime and `quantized_decomposed` agree with the definition. On common x86 processors, `quantize_per_tensor` adds the zero point first, which is the order that the last chapter warned against. PyTorch has announced that it will remove this operator, but the results of many older models were computed with it.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Dividing by the step, or multiplying by its reciprocal ★
#
# This part can be skipped. Its result: the fake quantization of PyTorch multiplies by $1/s$ instead of dividing by $s$, and right next to ties the two may differ by one code.
#
# Take $s = 0.01$, and for $x$ the values $(k + \tfrac12)\,s$, all stored as float32. `Fraction` represents the quotient of two floats exactly, so we know on which side of the tie the true quotient lies.
#
# **[Predict]** Of 127 values, how many does division get wrong, and how many multiplication, compared with rounding the true quotient?

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
# Both round in floats, and are wrong about equally often. Look at $x = 0.115$: the true quotient is slightly less than 11.5. Division rounds the quotient to 11.5 and then takes the even 12; here multiplication happens to be right. So we cannot say that division is more accurate, only that the definition asks for float division, and that `quantcore` and onnxruntime follow the definition. One code hardly matters for accuracy. When two programs must agree **bit for bit**, though, you may spend a long time looking for the cause.
#
# Multiplication has an extreme case, too: when $s$ is too small, $1/s$ overflows to infinity, and $0 \cdot \infty$ is NaN.

# %% slideshow={"slide_type": "skip"}
s = torch.tensor(1e-39)
x = torch.tensor([0.0, 1.0, 2.0]) * s
tiny = UniformQuantizer(QuantizationParams(s, torch.tensor(0), -128, 127))
print("1 / s =", (1 / s).item(), "  x * (1/s) =", (x * (1 / s)).tolist())
print("quantcore, x / s:", tiny.quantize(x).tolist())

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 The product in four terms
#
# Now for multiplication. The figure shows the whole way: 8-bit codes go in, and are multiplied and added in 32 bits; the sum is multiplied by a number $M$ and rounded, the zero point is added, the result is clipped, and 8-bit codes come out. The rest of the chapter explains each box.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Go through the picture from left to right, and ask at each arrow how many bits the numbers have.

# %% tags=["fold"]
schematics.integer_layer()

# %% [markdown] slideshow={"slide_type": "subslide"}
# The input $x$ has the codes $q_1$ with parameters $s_1$, $z_1$; the weight $w$ has the codes $q_2$ with parameters $s_2$, $z_2$. An element of the product is a sum of $K$ products:
#
# $$
# \sum_{k=1}^{K} x_k w_k = s_1 s_2 \sum_{k=1}^{K} (q_{1,k} - z_1)(q_{2,k} - z_2)
# $$
#
# The scales are outside the sum, and inside it everything is an integer. But $q - z$ is no longer an 8-bit number, and what hardware has is an instruction for “8-bit code times 8-bit code”. So the product must be multiplied out.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** Take $q_1 = (3, 5)$, $z_1 = 1$, $q_2 = (2, 4)$, $z_2 = 3$. First compute $\sum_k (q_{1,k} - 1)(q_{2,k} - 3)$ directly, then multiply each product out, sum the parts separately, and see which parts there are. Enter the direct sum.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Pen and paper, 2 minutes. Whoever writes all four terms will not lose a zero point later.

# %%
exercises.predict("four-terms-sum")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Directly: $2 \cdot (-1) + 4 \cdot 1 = 2$.
#
# Multiplied out, there are four parts: $\sum q_1 q_2 = 6 + 20 = 26$; $-z_2 \sum q_1 = -3 \cdot 8 = -24$; $-z_1 \sum q_2 = -1 \cdot 6 = -6$; and finally $z_1 z_2 = 3$ in every summand, $K = 2$ times, which is 6. Together $26 - 24 - 6 + 6 = 2$, as before.
#
# </details>

# %% [markdown] slideshow={"slide_type": "subslide"}
# For any $K$ there are the same four terms:
#
# $$
# \underbrace{\sum_k q_{1,k}\, q_{2,k}}_{1} \;\underbrace{-\; z_2 \sum_k q_{1,k}}_{2} \;\underbrace{-\; z_1 \sum_k q_{2,k}}_{3} \;\underbrace{+\; K z_1 z_2}_{4}
# $$
#
# [[I1](06_summary.ipynb#All-formulas)]

# %% [markdown]
# **[Think]** Before run time the weights are known and the input is not. Which terms can be computed beforehand? Somebody says that “zero points cancel”. Is that so?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask which terms can be computed before deployment, and let somebody circle them.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Terms 1 and 2 contain $q_1$ and can only be computed at run time; term 2 does not depend on the column, so computing it once for each row of the input is enough. Terms 3 and 4 do not contain $q_1$, but they contain $z_1$, so the answer depends on when $z_1$ is known ([Quantization parameters](03_params.ipynb#5-Static-and-dynamic-ranges) explains these two ways):
#
# - **static** quantization: the range of the input was set on calibration data, $z_1$ is known, and terms 3 and 4 can both be computed beforehand and put into the bias;
# - **dynamic** quantization: each batch of inputs sets its own range, and all that can be computed beforehand is $\sum_k q_{2,k}$.
#
# Zero points do not cancel, and in general none of the four is zero. If the weights are symmetric, $z_2 = 0$, terms 2 and 4 vanish, and with static quantization the remaining term 3 is known beforehand. This is one main reason why weights are usually quantized symmetrically ([Nagel et al., 2021](references.ipynb)).
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Checked on a real layer
#
# Take the last layer of the network for handwritten digits. Its input is the 512 outputs of the ReLU before it, its output the scores of ten classes. With [static ranges](03_params.ipynb#5-Static-and-dynamic-ranges), the ranges of input and output come from **training** pictures only, and the test pictures are left for checking. If the ranges were set on test pictures, the reported accuracy would be too good. So that no term is zero, input and weights are both asymmetric, at 8 bits.

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
# **[Predict]** $z_2 = 3$ is small, $z_1 = -128$ is large. Which of the four terms can be neglected?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students order the four terms by size, then look.

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
i1, i2, K = q1.int(), q2.int(), len(q2)  # int32: sums do not fit 8 bits
terms = [i1 @ i2, -z2 * i1.sum(1, keepdim=True), -z1 * i2.sum(0), torch.tensor(K * z1 * z2)]
terms = [t.int() for t in terms]
print("dtype of the sums:", terms[0].dtype)
print("four terms = product:", torch.equal(sum(terms), (i1 - z1) @ (i2 - z2)))
print("mean size of each term:", [f"{t.double().abs().mean().item():.1e}" for t in terms])

# %% [markdown] slideshow={"slide_type": "notes"}
# The four are of the same order of magnitude, and none can be left out. $z_2$ is small, but in term 2 it multiplies the sum of 512 codes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Which one should be symmetric
#
# Symmetric weights save terms 2 and 4, symmetric inputs save terms 3 and 4. The price is that a symmetric grid may waste codes. The figure below shows the weights.
#
# **[Try]** Estimate first, then try. At 8 bits, how much does the SQNR change when you tick and untick “symmetric”? At 4 bits, does the difference grow or shrink?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# With symmetric weights, how much is lost at 8 bits and at 4? Write first.

# %%
explore.quantization(layer.weight, bits=8, symmetric=True)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** The input is the output of a ReLU, with no negative numbers. Make the same comparison for the input: by how many decibels does the SQNR differ?

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
print("SQNR, dB        symmetric   asymmetric   difference")
for name, data in (("weight", w), ("input", x_train)):
    for bits in (8, 4):
        db = [sqnr_db(data, fit(data, bits, symmetric)(data)) for symmetric in (True, False)]
        print(f"{name:7} {bits} bits {db[0]:10.1f} {db[1]:12.1f} {db[1] - db[0]:12.1f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# The weights are roughly centered at 0. Made symmetric, they lose almost nothing at 8 bits, and nearly 1 dB at 4. The input has no negative numbers; made symmetric it wastes half of the codes, and loses over 6 dB, or 1 bit. So the usual combination is **symmetric weights, asymmetric inputs**. With static quantization only term 1 is then left at run time, and term 3 goes into the bias before deployment.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 How many bits an accumulator needs
#
# The variable that holds the sum is the **accumulator**. Let the two factors be at most $a_1$ and $a_2$ in magnitude; a sum of $K$ terms is at most $K a_1 a_2$. For it to fit into a signed integer of $B$ bits it is enough that
#
# $$
# K \le \left\lfloor \frac{2^{B-1} - 1}{a_1 a_2} \right\rfloor
# $$
#
# [[I4](06_summary.ipynb#All-formulas)]

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# How wide the accumulator is depends on the number of terms. Let students write the inequality.

# %% [markdown] slideshow={"slide_type": "notes"}
# Two kinds of factors must be distinguished. Term 1 multiplies **codes** $q$, at most 128 in magnitude. The four terms together are $\sum (q_1 - z_1)(q_2 - z_2)$, where $q - z$ is the difference of two codes, and can be as large as 255 in magnitude, which makes it a 9-bit number.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** [Quantization schemes](02_schemes.ipynb) said that some programs add two products in 16 bits before accumulating in 32. For codes $q$, how many terms can 16 bits add? And if one factor is never $-128$? And for $q - z$ with both sides asymmetric? Enter the number of terms for the last.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Two chapters say different things: are codes multiplied, or codes minus zero points? Let students find the difference.

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
# So it depends on what is multiplied. Code times code, with one factor never $-128$: 16 bits hold exactly two products. Zero points subtracted first, and both sides asymmetric: 16 bits do not hold even one. An accumulator of 32 bits can add over thirty thousand terms in the worst case; with one term more the sum wraps around to a negative number. When a sum does not fit, `integer_matmul` raises an error instead of wrapping around silently.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### x86 processors without a special instruction ★
#
# This part can be skipped. Its result: on older x86 processors the intermediate sum of 16 bits saturates, which is why some frameworks use only 7 bits.
#
# x86 processors without the VNNI instructions multiply 8-bit numbers with the instruction `vpmaddubsw`: it adds two products “unsigned times signed” and stores the result in 16 bits, saturated where it does not fit. Two products can be as large as $2 \cdot 255 \cdot 127$, beyond 32767. The remedy is the option `reduce_range`, which reduces one factor to 7 bits: the input in PyTorch, the weights in onnxruntime.

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
# ## 4 From the sum back to a code
#
# The sum is a 32-bit integer, and must become an 8-bit code of the output. First the bias goes in. It becomes an integer, too, with the scale $s_1 s_2$, so that it can be added to the sum directly: $q_{\mathrm{bias}} = \operatorname{rint}\bigl(\mathrm{bias} / (s_1 s_2)\bigr)$, stored as int32. The sum of the four terms and $q_{\mathrm{bias}}$ is written $\mathrm{acc}$.
#
# The output has the parameters $s_3$, $z_3$. The code of the real number $s_1 s_2 \cdot \mathrm{acc}$ should be
#
# $$
# q_3 = \operatorname{clamp}\bigl(z_3 + \operatorname{rint}(M \cdot \mathrm{acc}),\ q_{\min},\ q_{\max}\bigr), \qquad M = \frac{s_1 s_2}{s_3}
# $$
#
# [[I3](06_summary.ipynb#All-formulas)]

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# This step is requantization. Ask why one does not simply divide.

# %% [markdown] slideshow={"slide_type": "notes"}
# This step is **requantization**. Rounding the bias causes an error of at most half of $s_1 s_2$, which is only $M/2$ in codes of the output; $M$ is usually far below 1, so the error can be neglected.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Think]** Somebody says: convert input and weights to the parameters of the output, $(s_3, z_3)$, before multiplying, and no $M$ is needed. What is wrong?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students try with a small number what is wrong with the simpler way.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Three things. First, the scale of a product is the product of the scales of its factors, so it would be $s_3^2$ and not $s_3$. Second, even with $s_3^2$, to get codes with the scale $s_3$ you must multiply by $s_3$ once more, so the multiplication by a fraction has not been saved. Third, $s_3$ was chosen for the range of the output and is much larger than $s_1$ and $s_2$, so as a step for input and weights it is too coarse.
#
# The right way is to change the scale only once, that of **the sum**.
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
# ### The multiplier as an integer
#
# $M$ is a fraction, and the chip has integers only. Write $M$ in **fixed point**, an integer over a power of 2 ([Jacob et al., 2018](references.ipynb)):
#
# $$
# M \approx m \cdot 2^{-31} \cdot 2^{-n}, \qquad 2^{30} \le m < 2^{31}
# $$
#
# [[I2](06_summary.ipynb#All-formulas)]

# %% [markdown]
# Two steps find it. First, multiply $M$ by 2 until it lies in $[\tfrac12, 1)$; the number of times is $n$. Second, $m = \operatorname{rint}(2^{n} M \cdot 2^{31})$. Rounding $m$ causes an error of at most $\tfrac12$, and $m \ge 2^{30}$, so the relative error of $M$ is at most $2^{-31}$.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** $M = 0.3$. Find $n$ and $m$. ($2^{31} = 2\,147\,483\,648$.) Enter $n$.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Write it as 0.3 times a power of 2 first, and then take the integer.

# %%
exercises.predict("multiplier-shift")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# $0.3$ times 2 is $0.6$, once, which is in $[\tfrac12, 1)$ already, so $n = 1$. $0.6 \cdot 2^{31} = 1\,288\,490\,188.8$, so $m = 1\,288\,490\,189$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# The same two steps in code (for $M \ge 1$ divide by 2 instead, and $n$ is negative; when $m$ is rounded to $2^{31}$, carry):

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
# ### Multiply, take the high half, shift right
#
# With $m$ and $n$, the product $M \cdot \mathrm{acc}$ takes two steps. First multiply by $m$, divide by $2^{31}$ and round: 32 bits times 32 bits give 64 bits, and dividing by $2^{31}$ keeps, in essence, their high half. Then shift right by $n$ bits, with rounding as well. (For $n < 0$ nothing is shifted right; acc is shifted left beforehand, and `requantize` of `quantcore` takes care of that.) For $n \ge 0$ each step is one line:

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
# For all four $M$ the result is that of `requantize`. As the comments say, the two steps treat ties differently, and neither is $\operatorname{rint}$.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** For $M = \tfrac12$ ($m = 2^{30}$, $n = 0$), what do the sums $1, -1, 3, -3$ give? For $M = \tfrac18$ ($m = 2^{30}$, $n = 2$), what do $4, -4, 12, -12$ give? Enter the result of $-4$ with $M = \tfrac18$.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Follow one half: where does each of the two steps take it?

# %%
exercises.predict("shifted-half")

# %% tags=["predict"] slideshow={"slide_type": "fragment"}
for value, some in ((0.5, [1, -1, 3, -3]), (0.125, [4, -4, 12, -12])):
    m, n = multiplier(value)
    got = shift_right(high_half(torch.tensor(some), m), n).tolist()
    print(f"M = {value:5}  exact {[value * a for a in some]}  got {got}")

# %% [markdown] slideshow={"slide_type": "notes"}
# The first row meets its ties in the “high half”, where they all go up. The second meets them in the “shift”, where they go away from zero. Why two rules? Taking ties up is cheapest: add $2^{30}$ and shift, which ARM processors do in one instruction (SQRDMULH). For most multipliers, the low 31 bits of a product are exactly one half so rarely that the bias does not count. The shift drops only $n$ bits, which are exactly one half with a chance of $2^{-n}$. If ties always went up here, too, positive and negative errors would not cancel, and each layer would drift up a little. Rounding away from zero is symmetric, and the errors roughly cancel ([Jacob et al., 2018](references.ipynb), appendix B).

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Rounding twice: how much it changes
#
# Rounding twice is the **double rounding** of [the last chapter](04_quantizer.ipynb). Compared with rounding once, the fraction of wrong results is about
#
# $$
# 2^{-(n+1)}, \qquad n \ge 1
# $$
#
# [[I5](06_summary.ipynb#All-formulas)]

# %% [markdown]
# The remedy is to round only once: keep the product in 64 bits, and shift by $31 + n$ bits at once. TensorFlow Lite and CMSIS-NN have a compile-time option for this (single rounding). The price is a shift in 64 bits, which is slow with some vector instructions.

# %% slideshow={"slide_type": "skip"}
def requantize_once(acc, m, n):  # acc m / 2^(31 + n), halves go up
    return (acc * m + (1 << (30 + n))) >> (31 + n)

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Compared with $\operatorname{rint}(M \cdot \mathrm{acc})$ in float64, by how much at most can a code be off after rounding twice (enter this)? Is any code wrong after rounding once?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Guess a share. Whoever says 0 forgot that it is rounded twice.

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
# With $n = 0$ the second step does nothing, and since no product in this table is exactly a tie, neither way is wrong. In the other three rows, the smaller $n$ is, the more often rounding twice is wrong, but never by more than one code. Our layer has $n = 11$; at this rate about one code in four thousand is wrong. The reference must be in float64: `acc * M` in PyTorch is float32, and a reference that has itself been rounded would blame others for its own errors.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Why it is this fraction ★
#
# This part derives $2^{-(n+1)}$ and can be skipped.
#
# Let $v = M \cdot \mathrm{acc} \cdot 2^n$. The first step gives the integer $y$ nearest to $v$. Rounded once, the result depends on which side of a tie $v/2^n$ lies; rounded twice, it depends on $y/2^n$. The two can differ only if $y/2^n$ is exactly a tie and $v$ lies slightly closer to 0 than $y$: the second step rounds away from zero, and rounding once should go toward zero. The low $n$ bits of $y$ are exactly $100\cdots0$ with probability $2^{-n}$, and then $v$ lies on either side of $y$ with equal chance. So the fraction is $2^{-n} \cdot \tfrac12 = 2^{-(n+1)}$.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 A real layer
#
# Now we put the steps together. Before deployment, $m$, $n$ and the integer bias are computed. At run time there are only integer operations: the sum of four terms, plus the bias, requantized, plus $z_3$, clipped.

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
# **An activation function can be free.** If a ReLU follows, the range of the output begins at 0 and $z_3 = q_{\min}$: the code of 0 is the smallest code. The final clipping already turns negative numbers into the code of 0, and the ReLU needs nothing more.

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
# ### Compared with fake quantization
#
# Fake quantization, as in [the last chapter](04_quantizer.ipynb), puts values on the grid and multiplies in floats. What training sees is fake quantization; what is deployed runs on integers. Do they agree? Below, the layer is computed with fake quantization in three precisions: float64, float32 and bfloat16 (values on the grid and outputs of the layer are stored as bfloat16).
#
# **[Predict]** For each of the three precisions, what percentage of codes differs from the integer result?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Order the three precisions before you look at the percentages.

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
# float64 and float32 agree with the integers almost everywhere. Codes that differ are off by 1, which comes from double rounding and from the rounded bias. bfloat16 has only 8 significant bits, and many more codes differ, though still only by 1. So fake quantization can predict the **accuracy** after deployment. For the codes to agree almost everywhere, too, these are the conditions: the same parameters and the same bias on both sides; enough significant bits in the floats (float32 has enough, bfloat16 does not); and every operator between layers (adding, concatenating, pooling) requantizes in the same way.
#
# Real runtimes may requantize in yet other ways. `QLinearMatMul` of onnxruntime multiplies by $M$ in floats and rounds only once. For more samples, take a random matrix of 512×512 and multiply it by itself:

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
# ### Dropping a term with a zero point
#
# **[Predict]** Drop term 2, term 3 or term 4 on purpose. How far does accuracy fall? And if the weights are asymmetric per channel, so that each column has its own $z_2$?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Leave out a term on purpose: what happens to the accuracy? Most expect a disaster; it depends on the term.

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
# Per tensor, accuracy hardly changes without term 2 or term 4, and yet the SQNR is negative: the values of the output are all wrong.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Think]** Why does accuracy not show this error? Why does it show the error per channel?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Stop here for 30 seconds: the accuracy has not changed, so is it right?

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# With a single $z_2$, term 2 depends only on the row of the input and term 4 is a constant. Without one of these two, the ten scores of a picture shift together, and the largest is still the largest, unless they are shifted into clipping. Term 3 differs from column to column; without it the order of the scores is lost.
#
# Per channel each column has its own $z_2$, so terms 2 and 4 also differ from column to column, and dropping any of them upsets the order.
#
# So whoever looks at accuracy alone may accept a wrong implementation. And if another layer followed, a common shift would no longer be harmless.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# Per channel, $s_2$ and $z_2$ are vectors with an entry for each column, and so are $M$, $m$, $n$ and $q_{\mathrm{bias}}$. The formulas do not change; the code just broadcasts.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### A scale must not change along the sum
#
# If each $k$ has its own $s_k$, then in $\sum_k s_k\,(q_{1,k} - z_1)(q_{2,k} - z_2)$ the $s_k$ cannot be taken out of the sum. Every term would have to be multiplied by a fraction first, and the advantage of integer products would be gone. What about the other two directions?

# %% [markdown] slideshow={"slide_type": "notes"}
# Here `w` has the shape `(512, 10)`, which is (input, output), with output channels in dimension 1.

# %% [markdown]
# **[Predict]** Weights with `axis=1`; weights with `axis=0`; weights with `axis=1` and inputs with `axis=0` (one for each row). Which of the three does `integer_matmul` accept?

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
# Each column of the weights (an output channel) may have its own $s_2$, and each row of the input (a picture, a token) its own $s_1$: within one sum they are constant, and can be taken out.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6 Accuracy is not speed
#
# **[Predict]** Two matrices of 512×512 again, multiplied in six ways. Which is fastest, which slowest? The last three use the processor's integer instructions; the two of onnxruntime differ only in whether the codes on the left have a sign.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Vote first: is simulated int8 faster than float32, or slower?

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
# Fake quantization (“simulated int8”) is slower than floats: it does the same float product, and quantizes and dequantizes as well. `integer_matmul` was written for teaching, to show each step clearly, and not for speed.

# %% [markdown] slideshow={"slide_type": "notes"}
# What makes 8 bits really fast is the 8-bit multiply-add instructions of a processor, and programs written for them. On the computer that made this page (with the VNNI instructions), the integer product of `torch` and “unsigned times signed” in onnxruntime are several times faster than floats. The same onnxruntime with “signed times signed” does not take the fast path, and is even slower than floats. So speed can only be measured on the target machine, and not inferred from the bit width. What is certain is the saving in memory traffic, as measured in [Information theory](01_information_theory.ipynb).

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# These exercises are for after class. Write your answer first, then run the next cell to check it. If it does not pass, you get the smallest counterexample and hints. An exercise that you have not begun is only reported as unfinished.

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (8 minutes, difficulty 2/3) Write `my_terms(q1, q2, z1, z2)`: `q1` and `q2` are one-dimensional `torch.int8` tensors of the same length, `z1` and `z2` integers. It returns the four terms in the order of I1 (with their signs), four integers. Their sum should be $\sum_k (q_{1,k} - z_1)(q_{2,k} - z_2)$.

# %% slideshow={"slide_type": "skip"}
def my_terms(q1, q2, z1, z2):
    return ...  # four integers

# %% slideshow={"slide_type": "skip"}
exercises.check("four-terms", my_terms)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_terms(q1, q2, z1, z2):
#     q1, q2 = q1.long(), q2.long()
#     first, last = (q1 * q2).sum().item(), len(q1) * z1 * z2
#     return first, -z2 * q1.sum().item(), -z1 * q2.sum().item(), last
# ```
#
# Convert to a wider type first: `int8` times `int8` is `int8` again, and cannot hold the products.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (5 minutes, difficulty 2/3) Write `my_accumulator(terms, largest_a, largest_b)`: `terms` products are added, and the two factors are at most `largest_a` and `largest_b` in magnitude; all three are positive integers. At least how many bits must a signed accumulator have so as not to overflow? It returns this number.

# %% slideshow={"slide_type": "skip"}
def my_accumulator(terms, largest_a, largest_b):
    return ...  # your code; int.bit_length

# %% slideshow={"slide_type": "skip"}
exercises.check("accumulator-bits", my_accumulator)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_accumulator(terms, largest_a, largest_b):
#     return (terms * largest_a * largest_b).bit_length() + 1
# ```
#
# The magnitude of the sum is at most the product of the three; `bit_length` is the number of bits of this product; 1 bit is added for the sign.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (5 minutes, difficulty 1/3) Write `my_output(acc, M, z, qmin, qmax)`: `acc` is the integer sum with the bias, `M` the multiplier $M$ as a float, `z` the zero point $z_3$ of the output, `qmin` and `qmax` integers. It returns the code of the output by I3, an integer.

# %% slideshow={"slide_type": "skip"}
def my_output(acc, M, z, qmin, qmax):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("output-code", my_output)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_output(acc, M, z, qmin, qmax):
#     return min(max(round(M * acc) + z, qmin), qmax)
# ```
#
# The zero point is a code of the output already and is not multiplied by $M$; clip only after adding it.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (8 minutes, difficulty 3/3) Some chips have only a 16-bit multiplier. Write `my_multiplier(M)`: express $0 < M < 1$ as $M \approx m \cdot 2^{-15} \cdot 2^{-n}$ with an integer $m$ in $[2^{14}, 2^{15})$; `M` is a float, and the function returns two integers, $m$ and $n$.

# %% slideshow={"slide_type": "skip"}
def my_multiplier(M):
    return ...  # m, n

# %% slideshow={"slide_type": "skip"}
exercises.check("multiplier-16", my_multiplier)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
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
# When rounding gives exactly $2^{15}$, carry. The relative error is at most $2^{-15}$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (10 minutes, difficulty 3/3) The right shift of this chapter takes ties away from zero. Write one that takes them to even, `my_shift(y, n)`: `y` and `n` are integers, `y` may have either sign, and $n \ge 0$. It returns $y/2^n$ rounded to the nearest integer, ties to even. Use integer operations only.

# %% slideshow={"slide_type": "skip"}
def my_shift(y, n):
    down, rest = y >> n, y & ((1 << n) - 1)  # y = down * 2**n + rest
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("shift-even", my_shift)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_shift(y, n):
#     down, rest = y >> n, y & ((1 << n) - 1)
#     up = 2 * rest > 1 << n or (2 * rest == 1 << n and down % 2 == 1)
#     return down + up
# ```
#
# `>>` rounds down, and the remainder is not negative. If the remainder is more than half, add 1; if exactly half, add 1 only when the quotient is odd.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Discussion
#
# **[Think]** The outputs of two frameworks differ by one code. Is that an error? What should an acceptance test require?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Discuss for 5 minutes: is a difference of one code an error?

# %% [markdown] slideshow={"slide_type": "skip"}
# How far have you come in the whole course? The next cell shows it:

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# - With the same $s$ and $z$, implementations may differ by one code, for four reasons: the rule for ties, adding $z$ first, multiplying by $1/s$ instead of dividing by $s$, and rounding twice in requantization.
# - A product of quantized matrices expands into four terms. Terms 1 and 2 are computed at run time; with static quantization terms 3 and 4 go into the bias beforehand. With symmetric weights terms 2 and 4 are 0. In general zero points do not cancel.
# - Code times code is at most $2^{14}$ in magnitude; with zero points subtracted, at most $255^2$. The number of terms an accumulator of $B$ bits can add is $2^{B-1} - 1$ divided by this bound.
# - The scale is changed only once, after the sum, $M = s_1 s_2 / s_3 \approx m \cdot 2^{-31-n}$ with $2^{30} \le m < 2^{31}$ and a relative error of at most $2^{-31}$.
# - The high half takes ties up, the shift takes them away from zero. Compared with rounding once, about $2^{-(n+1)}$ of the codes differ by 1 ($n \ge 1$).
# - With the same parameters, bias and requantization, and enough significant bits in the floats, fake quantization agrees with integers in almost all codes. Fake quantization can predict the accuracy after deployment, but not the speed.
# - To check an integer implementation, compare codes and SQNR, not accuracy alone.

# %% [markdown] slideshow={"slide_type": "skip"}
# Next: [Visualization](05_visualization.ipynb), on seeing from pictures what is wrong with a quantization.
