# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown] slideshow={"slide_type": "slide"}
# # A real network: from training to running on integers only
#
# The chapters so far quantized a tensor, or the weights of one layer. But nobody deploys “one layer”. When a whole network is quantized, how much accuracy is left? How much smaller is the file? Is it faster? Which layer suffers most?
#
# This chapter goes the whole way: train a small network, quantize it, mend it, run it on integers only, save it to a file, and measure its speed. At the end, the same is done to a model of your own.
#
# First, what is real here and what is simulated. Accuracies, bytes of files and results of integer arithmetic are real. Fake quantization simulates integers by floats; it tells us about accuracy, not about speed. Speed is measured in section 7, with onnxruntime.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Until today we quantized one layer. Ask how much worse a whole network gets: is it the sum of the errors of its layers?

# %% [markdown] slideshow={"slide_type": "subslide"}
# **After this chapter you can:**
#
# - quantize a trained network after training, and choose a calibration method for its activations;
# - measure the sensitivity of each layer, and choose a bit width for each within a given number of bytes;
# - use a few epochs of quantization-aware training to win back the accuracy that few bits have lost, and show with five random seeds that the result is no accident;
# - run the whole network on integers only, and say why the result differs from fake quantization;
# - predict the bytes of a file, and say how the speed of a scheme should be measured;
# - examine your own model layer by layer.

# %% [markdown] slideshow={"slide_type": "skip"}
# | section | time |
# |:--|:--|
# | 1 Data and network | 10 minutes |
# | 2 Post-training quantization | 18 minutes |
# | 3 Which layer and which channel suffer most | 17 minutes |
# | 4 Quantization-aware training | 6 minutes |
# | 5 Running on integers only | 10 minutes |
# | 6 Saved to a file | 7 minutes |
# | 7 Speed | 11 minutes |
# | 8 Accuracy and bytes | 3 minutes |
# | 9 A model of your own | 4 minutes |
# | Exercises | 18 minutes |
# | Summary | 3 minutes |
# | ★ optional | 5 minutes |

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
explore.set_language("en")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 Data and network
#
# The data are the handwritten digits that come with scikit-learn, pictures of 8×8 pixels. We divide the pictures into three sets that do not overlap, each with its own purpose:
#
# - **training set**: to train the network, and for quantization-aware training;
# - **calibration set**: to collect the ranges of activations, compare schemes, and choose bit widths;
# - **test set**: only to report accuracy; it takes part in no choice.
#
# If schemes were chosen on the test set, the reported accuracy would be too high.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Ask why one may not choose on the test set, and let students give an example from everyday life.

# %% slideshow={"slide_type": "skip"}
pictures, digits, x_test, y_test = samples.digits()
held = torch.arange(len(digits)) % 5 == 4
x_train, y_train = pictures[~held].double(), digits[~held]
x_cal, y_cal = pictures[held].double(), digits[held]
x_test = x_test.double()
print(f"train {len(x_train)}, calibration {len(x_cal)}, test {len(x_test)} pictures;", end=" ")
print(f"one test picture is {1 / len(x_test):.2%}")

# %% [markdown] slideshow={"slide_type": "subslide"}
# The network has three convolutions and one linear layer. Each convolution is followed by **batch normalization** and a ReLU (see [Just enough about networks](00_start.ipynb#Just-enough-about-networks)). For each channel, batch normalization subtracts the mean $\mu$, divides by the standard deviation $\sigma$, then multiplies by $\gamma$ and adds $\tau$ (the last two are learned), which makes training much faster.
#
# Training takes ten epochs (passes over the training set) of gradient descent with momentum (each step also carries on nine tenths of the step before), and a learning rate that decreases to 0. Each picture gets a little noise, so that the network does not learn the pictures by heart. Everything is computed in float64, so that all computers get the same numbers; after training the weights are rounded to float32.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Training is not the subject of today; one sentence is enough.

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
# Why train five? The test set has only four hundred and some pictures, and training is partly chance. With a single network you could not tell whether a difference comes from the scheme or from luck. In the tables below, an accuracy with ± is the mean and the standard deviation over five random seeds; an accuracy without ± belongs to a single network.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Folding batch normalization
#
# After training, the mean $\mu$ and the standard deviation $\sigma$ of batch normalization no longer change. The output of the convolution is $w * x$ ($*$ is convolution), and batch normalization makes $\gamma\,(w * x - \mu)/\sigma + \tau$ of it. This is a convolution again, with other weights and a bias:
#
# $$
# w' = \frac{\gamma}{\sigma}\,w, \qquad \mathrm{bias}' = \tau - \frac{\gamma}{\sigma}\,\mu
# $$
# [[T1](06_summary.ipynb#All-formulas)]
#
# Each output channel has its own $\gamma/\sigma$. If this is folded in before quantization, there is one step less at run time, and one rounding less. The next cell folds it in, and the last code cell of this section checks that the output has not changed.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students derive the folded weight and bias; it takes two lines.

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
# From now on a network is four pairs of weights and biases, and `run` runs it: `weight_q` and `input_q` are quantizers for the weights and the inputs of the layers, and without them nothing is quantized; `seen` collects the inputs of the layers.

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
# All five networks have an accuracy of over 97%. There are over fifteen thousand weights in all, more than half of them in `conv3`.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 Post-training quantization
#
# [**Post-training quantization**](glossary.ipynb#Quantization) (PTQ) does not change the weights; it only chooses quantizers.
#
# **Weights** are fixed, and their range comes from the weights themselves. We use symmetric quantization, per tensor or per (output) channel.
#
# **Activations** change with the input, and their range comes from [**calibration**](glossary.ipynb#Parameters) (see [static and dynamic ranges](03_params.ipynb)). The calibration pictures come in batches. We try five static ways, `minmax`, a moving average of the maximum of each batch, `percentile`, `mse` and `entropy`, and also dynamic ranges per row, computed for each picture. The inputs of all layers are not negative (the picture itself, or the output of a ReLU), so we use asymmetric quantization: the range begins at 0, $z = q_{\min}$, and no code is wasted.

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
# **[Predict]** With only the weights quantized, per tensor, `minmax`, at how many bits does accuracy begin to fall noticeably? At 2 bits, how much is won back per channel, and how much with `mse` as well?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students write down the lowest bit width that they think is usable.

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
# At 4 bits and more there is almost no loss, 3 bits lose about 1 point, and at 2 bits `minmax` breaks down. With symmetric `minmax` at 2 bits the step is the largest weight, and most weights are rounded to 0. Per channel, each step fits its channel; `mse` makes the step as small as it should be. Both together bring accuracy from 24% back to 92%.

# %% [markdown] slideshow={"slide_type": "subslide"}
# Now activations. The weights are not quantized, only the inputs of the layers.
#
# **[Predict]** At 2 bits, do activations lose more accuracy than weights, or less? Which of the six ways is worst?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Weights or activations, which suffer more? Most say activations, because of outliers. Then look.

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
# **[Think]** In both cases it is 2 bits and `minmax`. Why are activations so much easier to quantize than weights?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students begin with what ReLU puts out.

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# Activations have no negative numbers. Asymmetric quantization uses all four codes of 2 bits, 0 is exactly a code, and many activations are 0. Weights have both signs; symmetric quantization uses only the three codes $-1, 0, 1$, and the step is the maximum.
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# At 3 bits and more the six ways differ by less than the standard deviation, so they cannot be ranked. At 2 bits `minmax` and the moving average are about 1 point worse; `percentile`, `mse` and dynamic are best, so a little [**clipping**](glossary.ipynb#Quantizers-and-integer-arithmetic) is worthwhile for activations. Dynamic ranges need no calibration set, but take another pass over the data each time, and this network does not need them. From here on activations use `mse`, except where a cell says `minmax`.

# %% [markdown] slideshow={"slide_type": "skip"}
# Weights and activations quantized together, as a picture. The vertical bars go from the worst of the five networks to the best.

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
# Say first what a vertical line is: the worst to the best of five seeds. A mean alone deceives.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Try]** Below is the first network. Write down your predictions, then try:
#
# 1. When the weights go from symmetric to asymmetric, which bit width gains most?
# 2. On the right is the SQNR of the output. By how much does it fall for each bit? At 4 bits it has already fallen by more than twenty decibels; why has accuracy hardly changed?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students predict the accuracy before each step: who is first to find at how many bits the cliff is?

# %%
def evaluate(bits, symmetric, granularity):
    options = {"axis": 0} if granularity == "per channel" else {}
    y_hat = run(net, x_test, weights_at(net, bits, symmetric=symmetric, **options),
                input_q[bits][0])
    return {"accuracy": accuracy(y_hat), "SQNR": sqnr_db(run(net, x_test), y_hat)}


explore.accuracy(evaluate, bits=8, symmetric=True)

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# 1. 2 bits gain most: symmetric, 2 bits use only three codes, asymmetric four, and the step shrinks to about two thirds.
# 2. By about 6 dB, as for a tensor. Classification only asks which of ten scores is largest, and as long as the noise is less than the distance between the first and the second, the prediction stays the same. The SQNR changes continuously. Accuracy begins to fall only when the noise is as large as that distance, and then falls quickly. So “accuracy has not changed” does not mean that nothing was lost; it means that the margin has not been used up.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 Which layer and which channel suffer most
#
# ### The sensitivity of each layer
#
# Quantize one layer (weights and input), leave the others alone, and measure the noise power $D_k$ of the network's output. When all layers are quantized, the error of the output is approximately the sum of the errors that each layer causes by itself. If these errors are uncorrelated, the cross terms in the mean square are 0, so
#
# $$
# D \approx \sum_k D_k
# $$
# [[T2](06_summary.ipynb#All-formulas)]

# %% [markdown] slideshow={"slide_type": "notes"}
# When errors are so large that the network can no longer be taken as linear, this formula is not accurate. The table below is in units of the power of the output. The sensitivity is used to choose bit widths, so it is measured on the calibration set.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** At 2 bits, which of the four layers has the largest $D_k$? How far apart are the last two columns, the predicted sum and the measured noise of all?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Each group chooses a layer; write it on the board before the table.

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
# Predicted and measured are of the same order at every bit width. They are farthest apart at 3 bits, where the measured value is half as much again as the predicted one: the errors are slightly correlated. As a basis for choosing bit widths this is good enough.
#
# Down to 5 bits, each bit less makes the $D_k$ of each layer about four times as large, by the rule of 6.02 dB; below that the factor is mostly larger, up to about 14 (`conv2`, from 3 bits to 2). At 2 bits the last two layers are most sensitive. But `conv1` has only 144 weights, and a few bits more for it take next to no bytes.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Choosing bit widths within a budget
#
# This leads to [**mixed precision**](glossary.ipynb#Quantization): layer $k$ has $N_k$ weights of $b_k$ bits. Make $\sum_k D_k(b_k)$ as small as possible, on condition that the bits of all weights, $\sum_k N_k b_k$, stay within the budget. Four layers and seven bit widths are $7^4 = 2401$ choices, and we try them all. Only the $D_k$ of the table are needed for that; the network need not be run.
#
# **[Predict]** The budget is 2.25 bits for each weight on average. To which layers will the additional 0.25 bits go? How much higher will accuracy be than with 2 bits for every layer?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Let students spend the spare bits themselves, then see how the algorithm does.

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
# With only 0.25 bits more on average, most of the accuracy is back. In network 0 the algorithm gives the bits to the two small layers: `conv1` gets 8 bits, `linear` 4, and the two large convolutions stay at 2. This agrees with the usual advice to “keep the first and the last layer precise”, and we know the reason: the $D_k / N_k$ of these layers is large, so for the same bits they lower the noise most. At 2.5 bits on average, accuracy has caught up with 3 bits for every layer.

# %% [markdown] slideshow={"slide_type": "subslide"}
# ### Channels that stand out
#
# Per tensor, the largest channel decides the step of a layer. Divide the largest magnitude of each channel by the median of its layer, and see whether any of them stands out.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Find the channel that stands out, and estimate how many bits it costs the others.

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
# The one that stands out most is a channel of `conv1`, about 1.9 times the median. How much do the other channels of a layer lose because of it? Per tensor against per channel, the ratio of the steps is the ratio of the maxima. Write $w_j$ for the weights of channel $j$; this channel loses
#
# $$
# 20 \log_{10} \frac{\max \lvert w \rvert}{\max \lvert w_j \rvert} \text{ dB}
# $$
# [[T3](06_summary.ipynb#All-formulas)]

# %% slideshow={"slide_type": "fragment"}
print("8 bits, mean over the channels of a layer: lost per tensor, dB")
for name, (w, _) in zip(NAMES, net):
    peaks = w.flatten(1).abs().amax(1)
    predicted = 20 * torch.log10(peaks.max() / peaks)
    one, each = fit(w, 8)(w), fit(w, 8, axis=0)(w)
    lost = [sqnr_db(*pair) - sqnr_db(t, t_hat) for *pair, t, t_hat in zip(w, each, w, one)]
    print(f"{name:7} predicted {predicted.mean():5.2f}   measured {sum(lost) / len(lost):5.2f}")

# %% [markdown] slideshow={"slide_type": "notes"}
# In this network channels stand out only mildly. In large language models the activations of a few channels are up to 20 times those of the others ([Dettmers et al., 2022](references.ipynb)). We can make one to see what happens. For $\lambda > 0$ a ReLU satisfies $\operatorname{ReLU}(\lambda x) = \lambda\operatorname{ReLU}(x)$. So multiply the weights and the bias of one channel of `conv1` by $\lambda$, and divide those weights of `conv2` that meet this channel by $\lambda$: the float output of the network does not change at all.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** The float output stays; what about the result at 4 bits? If the weights are per channel, is everything rescued?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# The float output is unchanged, but what happens after quantization? Vote first.

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
# The function is exactly the same, and yet with weights per tensor accuracy drops to that of guessing. Per channel rescues the weights. But the input of `conv2` now has a channel that stands out as well, and inputs are per tensor, because a scale must not change along the sum (see [Integers only](04b_integer.ipynb)).
#
# Turned around, this is a cure: before quantizing, use the same equivalence to make channels equally large. For convolutional networks this is **cross-layer equalization** ([Nagel et al., 2019](references.ipynb)); SmoothQuant for large language models ([Xiao et al., 2023](references.ipynb)) has the same idea.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 Quantization-aware training
#
# With 2 bits for every layer, post-training quantization lost more than ten points. In [**quantization-aware training**](glossary.ipynb#Quantization) (QAT) the weights learn for a few more epochs while they are quantized: fake quantization in the forward pass, and the **straight-through estimator** (STE) in the backward pass; `UniformQuantizer.forward` does both (see [The uniform quantizer](04_quantizer.ipynb)). We begin with the trained weights. The ranges stay as calibrated, the learning rate decreases to 0, and we take the weights after the last step, without choosing on the test set.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Guess how much comes back, and write it down. Ask where this accuracy comes from.

# %% [markdown]
# **[Predict]** In five epochs, what fraction of the lost accuracy is won back?

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
# All five seeds won back over half, and on average about four fifths. The standard deviation has fallen from about 4 points to less than 1, because training has also pulled up the networks that had bad luck. The price is that training data are needed, and another round of training.

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Learning the steps, too ★
#
# This part can be skipped. Its result: where ranges were chosen badly, learning the steps helps; where `mse` has chosen them, it makes no difference.
#
# LSQ ([Esser et al., 2020](references.ipynb)) makes each step a parameter, with the gradient from [The uniform quantizer](04_quantizer.ipynb). As in the paper, the gradient of a step is multiplied by $1/\sqrt{N q_{\max}}$, where $N$ is how many numbers share this step, so that the steps do not change much faster than the weights.

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
# From `minmax`, learning the steps raises the accuracy of all five seeds, by more than one point on average. From `mse`, the two ways differ by less than the standard deviation. It matters less whether steps are learned than where they begin.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 Running on integers only
#
# Up to now, what flows through the network has been floats. This section does to the whole network what [Integers only](04b_integer.ipynb) did to a layer: int8 codes go in, int8 codes come out, and there is not a single float in between. Convolutions need two more things.
#
# **A convolution is a matrix product.** Spread every 3×3 window of the input (all channels together) out into a row, and each kernel into a column, and the convolution is a matrix product. This is called im2col.
#
# **Padding uses the zero point.** At the border, a convolution is padded with 0. Among the codes, the code of 0 is $z$, so codes must be padded with $z$, and not with the integer 0.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Compute]** Here the input has $z = -128$. If it were padded with the integer 0, how many times $s$ is the value that the code 0 stands for? What kind of border would the picture get?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Which code should the border have? Most say 0, which is the common mistake.

# %%
exercises.predict("border-value")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# The code 0 stands for $s\,(0 + 128)$, about the middle of the range: the picture gets a gray border, and the kernels see strokes at the edge that are not there.
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
# The integers of each layer are computed before deployment: the codes of the weights, the int32 bias, and $m$ and $n$ for each output channel. The weights are symmetric, so only two of the four terms are left, together $(q_1 - z_1)\,q_2$. The outputs of the three convolutions begin at 0, $z_3 = q_{\min}$, and the final clipping is the ReLU.

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
# Check the first layer by itself: the integer convolution and a float64 convolution (of the same integers) should agree exactly.

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
# **[Predict]** What percentage of the predictions of the integer network are the same as those of fake quantization? If some differ, why?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Where do the few differences come from? Let students list three places.

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
# At both bit widths it is over 99%. The differences have three sources: the bias is rounded to integers; requantization rounds twice (see [Integers only](04b_integer.ipynb)); and the output is quantized to 8-bit codes as well, so that two close scores may get the same code, and whichever comes first is chosen. We check the third:

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
# The output codes differ by at most 1. Where the two best scores share a code, that is enough to change the prediction; here it can happen to one picture. A wrong border does far more harm: padded with the integer 0, the network loses about 3 points.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6 Saved to a file
#
# The codes are saved as a safetensors file. This format holds tensors only, and unlike a pickle it does not run a program when it is opened. The file has three parts: 8 bytes with the length of the header, a header in JSON (names, shapes, positions), and the data.
#
# **[Compute]** 4 bits, per channel. Weights are packed two to a byte; each output channel has an $s$ in float32 and a bias in float32; the input of each layer has one more $s$ (4 bytes) and a $z$ (1 byte). How many bytes are the data in all?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Compute first, then look: not one byte may differ.

# %%
exercises.predict("int4-bytes")

# %% [markdown] slideshow={"slide_type": "notes"}
# <details><summary>Answer</summary>
#
# There are $144 + 4608 + 9216 + 1280 = 15248$ weights, packed into 7624 bytes. There are $16 + 32 + 32 + 10 = 90$ output channels with 8 bytes each, 720 bytes. The inputs of the four layers have 20 bytes. Together that is 8364 bytes.
#
# In general layer $k$ has $N_k$ weights of $b_k$ bits and $C_k$ output channels:
#
# $$
# \sum_k \left(\left\lceil \frac{N_k b_k}{8} \right\rceil + 8\,C_k + 5\right) \text{ bytes}
# $$
# [[T4](06_summary.ipynb#All-formulas)]
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
# The data agree with the prediction to the byte. The whole file is about a sixth of what it was, not an eighth: scales and biases are still float32, and for so small a network the header counts, too.

# %% [markdown] slideshow={"slide_type": "skip"}
# What was saved must be read back:

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
# ## 7 Speed
#
# Everything run so far was code for teaching, and no faster than floats. To know what 8 bits are worth on this computer, you need a program with 8-bit operators. We write the same network as an ONNX file and give it to onnxruntime: once in float32, and once with QuantizeLinear and DequantizeLinear (together QDQ) around each layer, which onnxruntime merges with the convolutions into 8-bit operators.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Vote which is fastest, write the votes down, then look at the times.

# %% [markdown] slideshow={"slide_type": "notes"}
# Activations become uint8: 128 is added to codes and zero points, and the values that they stand for stay the same. This allows the fast path, “unsigned times signed” (see [Integers only](04b_integer.ipynb)).

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
# **[Think]** The pixels of a picture are $0, \tfrac1{16}, \dots, 1$, and the input has $s = \tfrac1{255}$. onnxruntime quantizes the input in float32, and we used float64. For which pixels may the codes differ?
#
# <details><summary>Answer</summary>
#
# For the pixel $\tfrac12$: $\tfrac12 \cdot 255 = 127\tfrac12$ is exactly a tie. $\tfrac1{255}$ is rounded differently in the two precisions, so the quotient may come out on either side of the tie.
#
# </details>
#
# For the comparison we therefore quantize the pictures in float32, and give these codes to our integer network, so that both have the same input. The tolerances: the float32 outputs differ by less than $10^{-4}$; the 8-bit output codes differ by at most 2, and at least 99% of the predictions are the same.

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
# The remaining differences come from requantization: onnxruntime multiplies by $M$ in floats and rounds once (see [Integers only](04b_integer.ipynb)).
#
# The results are within the tolerances, so now speeds can be compared. `simulated` is our network with fake quantization, `for teaching` is the code of section 5.

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
# Fake quantization and the integer code for teaching are slower than floats, as expected. Only the last two rows can really be compared: the same program, the same computer, the same pictures. On the computer that made this page (with VNNI), 8 bits are not faster, and even slightly slower.

# %% [markdown] slideshow={"slide_type": "subslide"}
# **[Predict]** Why are they not faster? Measure a few convolutions by themselves: the first layer of the network (1 input channel), then 16, 64 and 128 channels. How many times faster are 8 bits in each?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Think of bytes, and of the number of products.

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
# <details><summary>Answer</summary>
#
# The first layer holds the network back. With only 1 input channel, each output is a sum of just 9 products, and the additional work of quantizing and of spreading out windows takes most of the time, so that 8 bits are several times slower than floats. The more channels, the larger the share of multiplication, and the faster 8 bits are. On the computer that made this page they are about twice as fast as floats with 16 input channels, and more than three times as fast with 128.
#
# </details>

# %% [markdown] slideshow={"slide_type": "notes"}
# So speed cannot be inferred from the bit width. Quantizing the first layer does not pay, which is one reason why many people leave it in floats. On a computer without 8-bit multiply-add instructions the result is different again. Speed can only be measured on the target machine, with the target program, and with layers of the target size.

# %% [markdown] slideshow={"slide_type": "notes"}
# Where should you go to deploy a model of your own? The table lists some common programs, and what they decide for you:

# %% [markdown] slideshow={"slide_type": "notes"}
# | program | for | range | symmetric or not | granularity | rounding |
# |:--|:--|:--|:--|:--|:--|
# | onnxruntime | mostly CPUs, many platforms | activations static (by default `minmax` calibration) or dynamic | by default activations asymmetric and weights symmetric, both int8; on processors with VNNI, uint8 activations are better | by default per tensor, weights also per channel | ties to even (the ONNX specification) |
# | torchao | large models in PyTorch | activations dynamic | at 8 bits symmetric by default; weights of 4 bits either way | activations per row (token); weights per channel at 8 bits, per group at 4 | to even (`torch.round`) |
# | TensorRT | NVIDIA GPUs | calibration, or from QDQ | symmetric only, $z = 0$ | activations per tensor, weights also per channel | to even |
# | llama.cpp | large language models, CPUs and GPUs | weights from the weights; activations dynamic | Q4_0 and Q8_0 store $s$ only, Q4_1 also the minimum | groups of 32 | depends on the format; Q4_0 adds 8.5 and truncates |

# %% [markdown] slideshow={"slide_type": "notes"}
# Defaults change with versions, so trust the documentation at hand, and ask it these four questions: where the range comes from, whether it is symmetric, how many numbers share an $s$, and how ties are rounded.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8 Accuracy and bytes
#
# All schemes of this chapter in one picture. The horizontal axis shows the bytes of the data (with scales and biases), the vertical axis the accuracy of the five networks, with bars from the worst to the best.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Read from right to left: which steps are free, and which cost?

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
# The first number of a name is the bit width; T is per tensor, C per channel; weights have ranges by `mse` unless minmax is given. mixed is mixed precision, followed by its budget. The left panel has all schemes, the right one enlarges what is above 90%. The upper left corner is best: small and accurate.
#
# Go from right to left. 8 and 4 bits are free: their accuracy cannot be told from that of float32. 3 bits lose 1 point. For 2 bits to hold, either spend bits on the layers that suffer most, or train once more. With the same 2 bits, accuracy ranges from less than 20% to more than 96%, depending on the method. So “quantized to how many bits” is only half of what must be said; the other half is how.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 9 A model of your own
#
# Set `source` below to the path of a safetensors file of your own, or to a `state_dict`, and choose a scheme. `survey` reads one tensor at a time, so the file may be larger than memory. When reading takes long there is a progress bar, and the stop button (■) interrupts it; the layers that have been read are summed up all the same. Biases and the parameters of normalization are not quantized; their bytes are counted as they are. `survey` does not take pickle files (the usual `.pt` and `.bin`), because opening a pickle may run a program inside it.

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# For homework, let students put in a model of their own and hand in one table.

# %% slideshow={"slide_type": "fragment"}
source = folder / "float32.safetensors"  # your own: "model.safetensors", or model.state_dict()
layers_of_source = report(survey(source, QuantizationScheme.INT4, axis=0))

# %% [markdown] slideshow={"slide_type": "notes"}
# The last line names the worst layer. The layer with the lowest SQNR is not necessarily the one that suffers most (the order in section 3 is a different one), but it is the first place to look. Draw its distribution (see [Visualization](05_visualization.ipynb)), look for outliers, then try `group_size=32`, or one more bit for this layer.

# %% [markdown] slideshow={"slide_type": "skip"}
# If something is wrong with the file, `survey` says what:

# %% slideshow={"slide_type": "skip"}
(folder / "model.bin").write_bytes(b"not a model")
codes_only = {"q": torch.zeros(2, 2).int()}
for wrong_source in (folder / "nowhere.safetensors", folder / "model.bin", codes_only):
    try:
        survey(wrong_source, QuantizationScheme.INT4)
    except (OSError, ValueError) as error:
        print(type(error).__name__ + ":", str(error).replace(str(folder), "...")[:75])

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# These are for after class. Write your answer, and the next cell checks it; if you have not touched an exercise, the check says that it is not finished.
#
# **[Try]** (8 minutes, difficulty 2/3) All layers have `low` bits, and only one may keep 8 bits. `counts` are the numbers of weights of the layers, and `gains` say by how much the noise falls when a layer keeps 8 bits (both are lists, and the `gains` all differ). On average a weight may take at most `budget` bits. Write `my_layer(counts, gains, low, budget)`, which returns the index of the layer with the largest gain. At least one layer fits.

# %% slideshow={"slide_type": "skip"}
def my_layer(counts, gains, low, budget):
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("kept-layer", my_layer)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_layer(counts, gains, low, budget):
#     spare = (budget - low) * sum(counts)
#     fits = [k for k, n in enumerate(counts) if n * (8 - low) <= spare]
#     return max(fits, key=lambda k: gains[k])
# ```
#
# First see which layers fit, then compare gains. If the layer that suffers most is too large, it is the turn of the next.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (6 minutes, difficulty 2/3) Somebody wrote an integer layer and lost the zero point. Mend `my_sums(q, w, z)`: `q` are `torch.int8` codes of the input, of shape `(N, K)`, with the integer `z` as the zero point; `w` are `torch.int8` codes of symmetric weights, of shape `(K, C)`. It returns the accumulated sums as `torch.int32`.

# %% slideshow={"slide_type": "skip"}
def my_sums(q, w, z):
    without_zero_point = q.int() @ w.int()  # what is missing?
    return ...  # your code

# %% slideshow={"slide_type": "skip"}
exercises.check("dropped-zero", my_sums)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_sums(q, w, z):
#     return (q.int() - z) @ w.int()
# ```
#
# Convert to int32 before subtracting the zero point: in int8 the difference would wrap around. You may also multiply first, and then subtract $z$ times the sum of each column of weights.
#
# </details>

# %% [markdown] slideshow={"slide_type": "skip"}
# **[Try]** (4 minutes, difficulty 1/3) Write `my_padded(q, z)`: `q` is a row of `torch.int8` codes (one-dimensional) with the zero point `z`. Pad each end with one code that stands for the value 0; it returns a tensor of `torch.int8`.

# %% slideshow={"slide_type": "skip"}
def my_padded(q, z):
    return ...  # your code; F.pad(q, (1, 1), value=...)

# %% slideshow={"slide_type": "skip"}
exercises.check("padding-code", my_padded)

# %% [markdown] slideshow={"slide_type": "skip"}
# <details><summary>Answer</summary>
#
# ```python
# def my_padded(q, z):
#     return F.pad(q, (1, 1), value=z)
# ```
#
# The code of the value 0 is $z$, so pad with $z$.
#
# </details>

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Discussion
#
# **[Think]** You are to put a network on a phone, and may measure only one number to decide between 8 bits and 4. What do you measure? What will you miss?

# %% [markdown] tags=["instructor"] slideshow={"slide_type": "notes"}
# Discuss for 8 minutes. Then allow three numbers instead of one: which three?

# %% slideshow={"slide_type": "skip"}
exercises.progress()

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# - Keep training, calibration and test sets apart; choose schemes on the calibration set, and use the test set for the report only.
# - Before quantization, fold batch normalization into the weights and biases of the convolutions; the output does not change.
# - For this network, post-training quantization loses almost nothing at 4 bits and more; at 2 bits `minmax` per tensor breaks down, and per channel with `mse` rescues most of it.
# - When the errors of the layers are uncorrelated and not too large, the noise power of the output is the sum of what each layer causes by itself. With this, a bit width can be chosen for each layer within a budget of bytes.
# - At 2 bits, a few epochs of quantization-aware training from the trained weights won back over half of the lost accuracy, with all five seeds.
# - The whole network on integers only: convolutions spread out into matrix products, padding with the zero point, a ReLU that is just clipping; over 99% of the predictions are those of fake quantization.
# - The bytes of a file can be predicted; count the scales and biases as well.
# - Fake quantization tells us about accuracy only. Measure speed on the target machine, with a program that has 8-bit operators.

# %% [markdown] slideshow={"slide_type": "skip"}
# Next: [Summary](06_summary.ipynb), which checks all the formulas of the course once more.
