# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # 术语表
#
# 每个术语给出英文、一句话的解释，以及首次讲解它的那一章。

# %% [markdown]
# ## 量化
#
# | 术语 | 英文 | 解释 | 首次出现 |
# |:--|:--|:--|:--|
# | 量化 | quantization | 先选定有限个值，再用它们近似表示范围内的实数 | [开始](00_start.ipynb) |
# | 反量化 | dequantization | 由编码求重建值：$\hat x = s\,(q - z)$ | [开始](00_start.ipynb) |
# | 编码 | code | 量化后存下来的整数 $q$ | [开始](00_start.ipynb) |
# | 重建值 | reconstructed value | 编码所代表的实数 $\hat x$ | [开始](00_start.ipynb) |
# | 量化级 | level | 一个重建值；级的个数记作 $L$ | [开始](00_start.ipynb) |
# | 步长 | step | 相邻两个重建值的距离，$\Delta$ 或 $s$ | [开始](00_start.ipynb) |
# | 位宽 | bit width | 存一个编码所用的位数 $b$ | [开始](00_start.ipynb) |
# | 舍入 | rounding | 换成最近的整数 | [开始](00_start.ipynb) |
# | 饱和截断 | clipping | 超出范围的值停在最外面的编码上；也叫限幅，以下各章简称截断 | [开始](00_start.ipynb) |
# | 伪量化 | fake quantization | 量化后立即反量化，结果仍是浮点数，只用来评估精度 | [开始](00_start.ipynb) |
# | 量化噪声功率 | quantization noise power | 误差平方的均值 $\sigma_q^2$ | [开始](00_start.ipynb) |
# | 量化信噪比 | signal-to-quantization-noise ratio | 信号功率与量化噪声功率之比，单位 dB，缩写 SQNR | [开始](00_start.ipynb) |

# %% [markdown]
# ## 信息论
#
# | 术语 | 英文 | 解释 | 首次出现 |
# |:--|:--|:--|:--|
# | 有损压缩 | lossy compression | 解压后与原来不完全相同的压缩 | [信息论基础](01_information_theory.ipynb) |
# | 颗粒噪声 | granular noise | 范围以内的舍入误差造成的噪声 | [信息论基础](01_information_theory.ipynb) |
# | 过载噪声 | overload noise | 范围以外的值被截断造成的噪声 | [信息论基础](01_information_theory.ipynb) |
# | 负载因子 | loading factor | 量化范围的半宽与标准差之比 $\Gamma$ | [信息论基础](01_information_theory.ipynb) |
# | 抖动 | dither | 量化之前加上的随机数 | [信息论基础](01_information_theory.ipynb) |
# | 减性抖动 | subtractive dither | 量化之后再减去同一个随机数的抖动 | [信息论基础](01_information_theory.ipynb) |
# | 随机舍入 | stochastic rounding | 按距离的比例随机地向上或向下舍入，没有偏差 | [信息论基础](01_information_theory.ipynb) |
# | 特征函数 | characteristic function | $\varphi(u) = \mathbb{E}[\cos(ux)]$（分布对称时） | [信息论基础](01_information_theory.ipynb) |
# | 码率 | rate | 平均每个数用的比特数 $R$ | [率失真](01b_rate_distortion.ipynb) |
# | 失真 | distortion | 均方误差 $D$ | [率失真](01b_rate_distortion.ipynb) |
# | 率失真函数 | rate–distortion function | 码率不超过 $R$ 时失真的下确界 | [率失真](01b_rate_distortion.ipynb) |
# | 互信息 | mutual information | 知道一个变量以后，另一个变量减少的不确定程度 | [率失真](01b_rate_distortion.ipynb) |
# | 微分熵 | differential entropy | $-\int f\log_2 f$ | [率失真](01b_rate_distortion.ipynb) |
# | 前缀码 | prefix code | 没有一个码字是另一个码字的开头 | [率失真](01b_rate_distortion.ipynb) |
# | 霍夫曼码 | Huffman code | 码长为整数的最短前缀码 | [率失真](01b_rate_distortion.ipynb) |
# | 门限 | threshold | 相邻两个量化区间的分界 | [率失真](01b_rate_distortion.ipynb) |
# | 中升型 | mid-rise | 0 是一个门限的量化器 | [率失真](01b_rate_distortion.ipynb) |
# | 中平型 | mid-tread | 0 是一个重建值的量化器 | [率失真](01b_rate_distortion.ipynb) |
# | 点密度 | point density | 单位长度里重建值所占的比例 | [率失真](01b_rate_distortion.ipynb) |
# | 矢量量化 | vector quantization | 把许多个数合在一起量化 | [率失真](01b_rate_distortion.ipynb) |

# %% [markdown]
# ## 数的格式
#
# | 术语 | 英文 | 解释 | 首次出现 |
# |:--|:--|:--|:--|
# | 量化方案 | quantization scheme | 从 $q_{\min}$ 到 $q_{\max}$ 的一组连续整数 | [量化方案](02_schemes.ipynb) |
# | 补码 | two's complement | 最高位取负权的读法 | [量化方案](02_schemes.ipynb) |
# | 原码 | sign and magnitude | 最高位只表示正负号的读法 | [量化方案](02_schemes.ipynb) |
# | 受限范围 | restricted range | 弃用编码 $-2^{b-1}$ 的有符号范围 | [量化方案](02_schemes.ipynb) |
# | 半字节 | nibble | 4 位 | [量化方案](02_schemes.ipynb) |
# | 打包 | pack | 把几个编码放进同一个字节 | [信息论基础](01_information_theory.ipynb) |
# | 解包 | unpack | 从字节里取出各个编码 | [信息论基础](01_information_theory.ipynb) |
# | 指数 | exponent | 浮点数中表示 2 的多少次方的几位，也叫阶码 | [量化方案](02_schemes.ipynb) |
# | 尾数 | mantissa | 浮点数中表示有效数字的几位 | [量化方案](02_schemes.ipynb) |
# | 非规格化数 | subnormal | 指数位全为 0、没有隐含的 1 的浮点数 | [量化方案](02_schemes.ipynb) |

# %% [markdown]
# ## 量化参数
#
# | 术语 | 英文 | 解释 | 首次出现 |
# |:--|:--|:--|:--|
# | 缩放因子 | scale | 编码增加 1 时重建值的增量 $s$ | [量化参数](03_params.ipynb) |
# | 零点 | zero point | 实数 0 的编码 $z$ | [量化参数](03_params.ipynb) |
# | 对称 | symmetric | 零点取 0 的量化 | [量化参数](03_params.ipynb) |
# | 非对称 | asymmetric | 零点由数据的范围决定的量化 | [量化参数](03_params.ipynb) |
# | 离群值 | outlier | 远大于其余各数的值 | [量化参数](03_params.ipynb) |
# | 校准 | calibration | 由数据决定范围 | [量化参数](03_params.ipynb) |
# | KL 散度 | Kullback–Leibler divergence | 按另一个分布设计的码平均多花的比特数 | [量化参数](03_params.ipynb) |
# | 静态 | static | 范围在运行之前定好，以后不变 | [量化参数](03_params.ipynb) |
# | 动态 | dynamic | 范围在运行时由输入现算 | [量化参数](03_params.ipynb) |
# | 粒度 | granularity | 多少个数共用一个缩放因子 | [量化参数](03_params.ipynb) |
# | 逐张量 | per tensor | 整个张量一个缩放因子 | [量化参数](03_params.ipynb) |
# | 逐通道 | per channel | 每个输出通道一个缩放因子 | [量化参数](03_params.ipynb) |
# | 逐组 | per group | 最后一维上每 $g$ 个数一个缩放因子 | [量化参数](03_params.ipynb) |

# %% [markdown]
# ## 量化器与整数运算
#
# | 术语 | 英文 | 解释 | 首次出现 |
# |:--|:--|:--|:--|
# | 截尾 | truncation | 去掉小数部分，向零取整 | [均匀量化器](04_quantizer.ipynb) |
# | 四舍五入 | round half up | 半整数一律向上 | [均匀量化器](04_quantizer.ipynb) |
# | 四舍六入五成双 | round half to even | 半整数取相邻的偶数，即 rint | [均匀量化器](04_quantizer.ipynb) |
# | 二次舍入 | double rounding | 连续舍入两次，结果可能与只舍入一次不同 | [均匀量化器](04_quantizer.ipynb) |
# | 直通估计器 | straight-through estimator | 前向量化，反向把 rint 的导数当作 1，缩写 STE | [均匀量化器](04_quantizer.ipynb) |
# | 掩码 | mask | 由 0 和 1 组成的张量，表示哪些梯度通过 | [均匀量化器](04_quantizer.ipynb) |
# | 振荡 | oscillation | 训练中编码在分界线两侧来回跳变 | [均匀量化器](04_quantizer.ipynb) |
# | 累加器 | accumulator | 存放乘积之和的整数变量 | [只用整数](04b_integer.ipynb) |
# | 重新量化 | requantization | 把累加的和换算成输出的编码 | [只用整数](04b_integer.ipynb) |
# | 定点数 | fixed point | 用整数除以 2 的幂表示的小数 | [只用整数](04b_integer.ipynb) |

# %% [markdown]
# ## 图与诊断
#
# | 术语 | 英文 | 解释 | 首次出现 |
# |:--|:--|:--|:--|
# | 热图 | heat map | 用颜色表示矩阵元素的图 | [可视化分析](05_visualization.ipynb) |
# | 频谱 | spectrum | 信号中各个频率的强弱 | [可视化分析](05_visualization.ipynb) |
# | 谐波 | harmonic | 信号频率的整数倍 | [可视化分析](05_visualization.ipynb) |
# | 混叠 | aliasing | 超过采样率一半的频率采样后出现在较低的频率上 | [可视化分析](05_visualization.ipynb) |
# | 白噪声 | white noise | 频谱上每根线的期望都相同的噪声 | [可视化分析](05_visualization.ipynb) |

# %% [markdown]
# ## 网络
#
# | 术语 | 英文 | 解释 | 首次出现 |
# |:--|:--|:--|:--|
# | 权重 | weight | 网络中训练得到的矩阵元素 | [开始](00_start.ipynb) |
# | 激活值 | activation | 一层的输入或输出 | [开始](00_start.ipynb) |
# | 激活函数 | activation function | 逐个元素作用的非线性函数，例如 ReLU | [开始](00_start.ipynb) |
# | 偏置 | bias | 一层的输出上加的常数 | [开始](00_start.ipynb) |
# | 输出通道 | output channel | 权重矩阵的一行算出的那一部分输出 | [开始](00_start.ipynb) |
# | 填充 | padding | 在图像四周补上的 0 | [开始](00_start.ipynb) |
# | 转置卷积 | transposed convolution | 权重第 0 维是输入通道的卷积 | [开始](00_start.ipynb) |
# | 准确率 | accuracy | 判断正确的样本所占的比例 | [开始](00_start.ipynb) |
# | 训练后量化 | post-training quantization | 训练好以后直接量化，缩写 PTQ | [开始](00_start.ipynb) |
# | 量化感知训练 | quantization-aware training | 训练时就经过量化器，缩写 QAT | [开始](00_start.ipynb) |
