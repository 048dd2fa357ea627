# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Glossary
#
# The terms are ordered by subject; the last column leads to the chapter that explains the term. The letters are explained in [Start](00_start.ipynb), under “Notation”.
#
# ## Quantization
#
# | term | 中文 | in a sentence | chapter |
# |:--|:--|:--|:--|
# | quantization | 量化 | choosing finitely many integers, and approximating the real numbers of a range by them | [Start](00_start.ipynb) |
# | dequantization | 反量化 | from the code $q$ to the reconstructed value $\hat x = s\,(q - z)$ | [Start](00_start.ipynb) |
# | code | 编码 | the integer that stands for a real number, written $q$ | [Start](00_start.ipynb) |
# | reconstructed value | 重建值 | the real number that a code gives back, written $\hat x$ | [Start](00_start.ipynb) |
# | level | 量化级 | a value that can occur after quantization; codes and levels correspond one to one | [Start](00_start.ipynb) |
# | number of levels | 级的个数 | how many levels there are, written $L$; integers of $b$ bits have $2^b$ | [Schemes](02_schemes.ipynb) |
# | bit width | 位宽 | how many bits a code takes, written $b$ | [Start](00_start.ipynb) |
# | grid | 网格 | all levels together; the grid of a uniform quantizer is evenly spaced | [The uniform quantizer](04_quantizer.ipynb) |
# | quantization scheme | 量化方案 | which integers the codes can be, how many bits each takes, and in which type they are stored | [Schemes](02_schemes.ipynb) |
# | fake quantization | 伪量化 | quantizing and then dequantizing at once, so that the result is a float again; for judging accuracy | [Start](00_start.ipynb) |
# | PTQ | 训练后量化 | post-training quantization: a trained model is quantized, and a little data sets the parameters | [Start](00_start.ipynb) |
# | QAT | 量化感知训练 | quantization-aware training: the forward pass contains fake quantization, and the weights adapt to its error | [Start](00_start.ipynb) |
# | weight-only | 仅权重 | only the weights are quantized, and they are dequantized to floats before computing | [Start](00_start.ipynb) |
# | mixed precision | 混合精度 | giving each layer a bit width of its own, so that bits are spent where they lower the error most | [A real network](05b_network.ipynb) |
# | lossy compression | 有损压缩 | compression that cannot be undone exactly; quantization is one kind | [Information theory](01_information_theory.ipynb) |
# | pack | 打包 | to put several codes of fewer than 8 bits into one byte | [Schemes](02_schemes.ipynb) |
# | unpack | 解包 | to take the codes out of the byte that they were packed in | [Schemes](02_schemes.ipynb) |
#
# ## Information theory
#
# | term | 中文 | in a sentence | chapter |
# |:--|:--|:--|:--|
# | quantization noise power | 量化噪声功率 | the mean of the squared error, $\sigma_q^2$ | [Information theory](01_information_theory.ipynb) |
# | SQNR | 量化信噪比 | signal-to-quantization-noise ratio: the power of the signal over the quantization noise power, in decibels (dB) | [Information theory](01_information_theory.ipynb) |
# | granular noise | 颗粒噪声 | the error of the values that are not clipped; it comes from rounding | [Information theory](01_information_theory.ipynb) |
# | overload noise | 过载噪声 | the error of the values beyond the range; it comes from clipping | [Information theory](01_information_theory.ipynb) |
# | loading factor | 负载因子 | half the width of the range over the standard deviation of the signal, $\Gamma = A/\sigma$ | [Information theory](01_information_theory.ipynb) |
# | dither | 抖动 | random noise that is added before quantization to make the error independent of the signal | [Information theory](01_information_theory.ipynb) |
# | subtractive dither | 减性抖动 | dither that is added before quantization and subtracted again afterwards | [Information theory](01_information_theory.ipynb) |
# | non-subtractive dither | 非减性抖动 | dither that is added before quantization and not subtracted afterwards | [Information theory](01_information_theory.ipynb) |
# | bias | 偏差 | the mean of an error, where it is not 0; it does not average out | [Information theory](01_information_theory.ipynb) |
# | characteristic function | 特征函数 | $\mathbb{E}[\mathrm{e}^{\mathrm{i}ux}]$ of a random variable $x$, the Fourier transform of its density | [Information theory](01_information_theory.ipynb) |
# | arithmetic intensity | 计算强度 | how many operations are done for each byte that is moved | [Information theory](01_information_theory.ipynb) |
# | kernel fusion | 算子融合 | several operations made into one program, so that intermediate results are not written back to memory | [Information theory](01_information_theory.ipynb) |
# | threshold | 门限 | the border between two neighboring cells of a quantizer | [Rate–distortion](01b_rate_distortion.ipynb) |
# | mid-rise | 中升型 | a uniform quantizer for which 0 is a threshold and no level | [Rate–distortion](01b_rate_distortion.ipynb) |
# | mid-tread | 中平型 | a uniform quantizer for which 0 is a level | [Rate–distortion](01b_rate_distortion.ipynb) |
# | point density | 点密度 | the share of all levels that lies in a unit of length; it depends on the place | [Rate–distortion](01b_rate_distortion.ipynb) |
# | entropy | 熵 | the mean information of a code, $H$; the fewest bits per code, on average, that lossless compression needs (for independent, identically distributed codes) | [Rate–distortion](01b_rate_distortion.ipynb) |
# | prefix code | 前缀码 | code words of different lengths, none of which is the beginning of another | [Rate–distortion](01b_rate_distortion.ipynb) |
# | Huffman code | 霍夫曼码 | a prefix code of the shortest mean length | [Rate–distortion](01b_rate_distortion.ipynb) |
# | differential entropy | 微分熵 | $h = -\int f \log_2 f\,\mathrm{d}x$ of a continuous random variable | [Rate–distortion](01b_rate_distortion.ipynb) |
# | mutual information | 互信息 | by how much, on average, knowing one quantity reduces the uncertainty of another | [Rate–distortion](01b_rate_distortion.ipynb) |
# | Kullback–Leibler divergence | KL 散度 | the price of taking one distribution for another, written $D_{\mathrm{KL}}$ | [Rate–distortion](01b_rate_distortion.ipynb) |
# | rate | 码率 | how many bits each value takes on average, written $R$ | [Rate–distortion](01b_rate_distortion.ipynb) |
# | distortion | 失真 | how far the reconstructed values are from the original ones; in this course always the mean squared error, written $D$ | [Rate–distortion](01b_rate_distortion.ipynb) |
# | rate–distortion function | 率失真函数 | the least distortion $D(R)$ that is possible at the rate $R$ | [Rate–distortion](01b_rate_distortion.ipynb) |
# | vector quantization | 矢量量化 | quantizing several numbers together | [Rate–distortion](01b_rate_distortion.ipynb) |
#
# ## Number formats
#
# | term | 中文 | in a sentence | chapter |
# |:--|:--|:--|:--|
# | number format | 数的格式 | a convention for which number a string of bits means, such as INT8 or FP8 | [Schemes](02_schemes.ipynb) |
# | unsigned | 无符号 | of an integer format: no number is negative | [Schemes](02_schemes.ipynb) |
# | signed | 有符号 | of an integer format: numbers may be negative or positive | [Schemes](02_schemes.ipynb) |
# | two's complement | 补码 | signed integers whose highest bit has a negative weight; there is one more negative number than positive ones | [Schemes](02_schemes.ipynb) |
# | sign and magnitude | 原码 | the highest bit is the sign, the others are the magnitude | [Schemes](02_schemes.ipynb) |
# | restricted range | 受限范围 | symmetric quantization without the code $-2^{b-1}$, so that the two ends differ only in sign | [Schemes](02_schemes.ipynb) |
# | nibble | 半字节 | 4 bits, half a byte | [Schemes](02_schemes.ipynb) |
# | exponent | 指数 | the field of a float that sets its order of magnitude | [Schemes](02_schemes.ipynb) |
# | mantissa | 尾数 | the field of a float that holds its significant digits | [Schemes](02_schemes.ipynb) |
# | subnormal | 非规格化数 | a float whose exponent field is 0 and that has no implied 1 in front; these lie closest to 0 | [Schemes](02_schemes.ipynb) |
# | quantile | 分位数 | a value of the inverse of the cumulative distribution function; NF4 places its levels by them | [Schemes](02_schemes.ipynb) |
#
# ## Parameters
#
# | term | 中文 | in a sentence | chapter |
# |:--|:--|:--|:--|
# | scale | 缩放因子 | by how much the reconstructed value grows when the code grows by 1, written $s$ | [Parameters](03_params.ipynb) |
# | zero point | 零点 | the code of the real number 0, written $z$; it is an integer | [Parameters](03_params.ipynb) |
# | step | 步长 | the distance between neighboring levels, written $\Delta$; for a uniform quantizer it equals $s$ | [Information theory](01_information_theory.ipynb) |
# | symmetric | 对称 | quantization with $z = 0$ (for signed integers); both sides are equally wide | [Parameters](03_params.ipynb) |
# | asymmetric | 非对称 | quantization whose $z$ follows from the range of the data | [Parameters](03_params.ipynb) |
# | outlier | 离群值 | a value whose magnitude is far above that of the others | [Parameters](03_params.ipynb) |
# | calibration | 校准 | choosing the range of a quantizer by data | [Parameters](03_params.ipynb) |
# | static | 静态 | of a range: fixed beforehand, and the same at run time | [Parameters](03_params.ipynb) |
# | dynamic | 动态 | of a range: computed at run time from the input at hand | [Parameters](03_params.ipynb) |
# | moving average | 滑动平均 | the new value and the old average mixed in fixed proportions; it gathers the ranges of many batches | [Parameters](03_params.ipynb) |
# | granularity | 粒度 | how many numbers share one set of parameters | [Parameters](03_params.ipynb) |
# | per tensor | 逐张量 | the whole tensor shares one scale | [Parameters](03_params.ipynb) |
# | per channel | 逐通道 | each output channel has a scale of its own | [Parameters](03_params.ipynb) |
# | per group | 逐组 | each $g$ neighbors in a row share a scale | [Parameters](03_params.ipynb) |
#
# ## Quantizers and integer arithmetic
#
# | term | 中文 | in a sentence | chapter |
# |:--|:--|:--|:--|
# | rounding | 舍入 | replacing a number by the integer closest to it | [The uniform quantizer](04_quantizer.ipynb) |
# | round half up | 四舍五入 | rounding that takes every half up | [The uniform quantizer](04_quantizer.ipynb) |
# | round half to even | 四舍六入五成双 | rounding that takes a half to the nearest even integer, written rint | [The uniform quantizer](04_quantizer.ipynb) |
# | truncation | 截尾 | dropping the fraction, that is, rounding toward zero | [The uniform quantizer](04_quantizer.ipynb) |
# | stochastic rounding | 随机舍入 | rounding up or down at random, with probabilities given by the fraction; it has no bias on average | [The uniform quantizer](04_quantizer.ipynb) |
# | double rounding | 二次舍入 | rounding to a fine grid and then to a coarse one; the result may differ from rounding once | [The uniform quantizer](04_quantizer.ipynb) |
# | clipping | 饱和截断 | replacing what lies beyond the range by the value at its end; also called saturation | [The uniform quantizer](04_quantizer.ipynb) |
# | forward | 前向 | from the input to the output and the loss | [The uniform quantizer](04_quantizer.ipynb) |
# | backward | 反向 | from the loss back to the gradient of every quantity | [The uniform quantizer](04_quantizer.ipynb) |
# | STE | 直通估计器 | straight-through estimator: the convention that the gradient of a staircase is 1 inside the range and 0 outside | [The uniform quantizer](04_quantizer.ipynb) |
# | mask | 掩码 | a tensor of 0s and 1s that decides which gradients pass | [The uniform quantizer](04_quantizer.ipynb) |
# | oscillation | 振荡 | during training, the jumping of a weight back and forth between two neighboring levels | [The uniform quantizer](04_quantizer.ipynb) |
# | accumulator | 累加器 | the register or variable that holds the sum of products, usually int32 | [Integers only](04b_integer.ipynb) |
# | requantization | 重新量化 | from the sum in the accumulator to the code of the output | [Integers only](04b_integer.ipynb) |
# | fixed point | 定点数 | numbers whose point stays in its place: an integer, and an agreed power of 2 | [Integers only](04b_integer.ipynb) |
#
# ## Figures and diagnosis
#
# | term | 中文 | in a sentence | chapter |
# |:--|:--|:--|:--|
# | heat map | 热图 | a picture of a matrix in which colors show the size of its entries | [Visualization](05_visualization.ipynb) |
# | spectrum | 频谱 | how strong a signal is at each frequency | [Visualization](05_visualization.ipynb) |
# | harmonic | 谐波 | a component whose frequency is an integer multiple of the fundamental frequency | [Visualization](05_visualization.ipynb) |
# | aliasing | 混叠 | after sampling, frequencies above half the sampling rate turn up as lower ones | [Visualization](05_visualization.ipynb) |
# | white noise | 白噪声 | noise that is equally strong, on average, at all frequencies | [Visualization](05_visualization.ipynb) |
#
# ## Networks
#
# | term | 中文 | in a sentence | chapter |
# |:--|:--|:--|:--|
# | weight | 权重 | a number of a layer that the input is multiplied by; fixed after training | [Start](00_start.ipynb) |
# | bias | 偏置 | the vector that a layer adds, written $\beta$ | [Start](00_start.ipynb) |
# | output channel | 输出通道 | the output that one row of the weight matrix computes | [Start](00_start.ipynb) |
# | activation function | 激活函数 | a function that follows a layer and is computed for each number separately, such as ReLU | [Start](00_start.ipynb) |
# | activation | 激活值 | the output of a layer; it changes with the input | [Start](00_start.ipynb) |
# | padding | 填充 | zeros put around an image | [Start](00_start.ipynb) |
# | transposed convolution | 转置卷积 | a layer that enlarges an image; dimension 1 of its weight holds the output channels | [Start](00_start.ipynb) |
# | accuracy | 准确率 | the share of right answers | [Start](00_start.ipynb) |
