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
# 表中的术语按主题排列，最后一列是讲解这个术语的那一章。字母记号的含义见[开始](00_start.ipynb)一章的“记号”。
#
# ## 量化
#
# | 术语 | English | 一句话 | 出处 |
# |:--|:--|:--|:--|
# | 量化 | quantization | 选定有限个整数，用这些整数去近似表示范围内的实数 | [开始](00_start.ipynb) |
# | 反量化 | dequantization | 由编码 $q$ 求出重建值 $\hat x = s\,(q - z)$ | [开始](00_start.ipynb) |
# | 编码 | code | 代表一个实数的整数，记作 $q$ | [开始](00_start.ipynb) |
# | 重建值 | reconstructed value | 由编码还原出来的实数，记作 $\hat x$ | [开始](00_start.ipynb) |
# | 量化级 | level | 量化以后可以取的一个值；编码和量化级一一对应 | [开始](00_start.ipynb) |
# | 级的个数 | number of levels | 量化级有多少个，记作 $L$；$b$ 位整数有 $2^b$ 个 | [量化方案](02_schemes.ipynb) |
# | 位宽 | bit width | 一个编码占几位，记作 $b$ | [开始](00_start.ipynb) |
# | 网格 | grid | 全部量化级组成的集合；均匀量化的网格是等距的 | [均匀量化器](04_quantizer.ipynb) |
# | 量化方案 | quantization scheme | 编码可以取哪些整数，各占几位，用什么类型存放 | [量化方案](02_schemes.ipynb) |
# | 伪量化 | fake quantization | 量化以后立刻反量化，返回的仍是浮点数，用来评估精度 | [开始](00_start.ipynb) |
# | 训练后量化 | PTQ | 模型训练好以后再量化，只用少量数据来定参数 | [开始](00_start.ipynb) |
# | 量化感知训练 | QAT | 训练时在前向计算里插入伪量化，让权重适应量化误差 | [开始](00_start.ipynb) |
# | 仅权重 | weight-only | 只量化权重，计算时先反量化成浮点数 | [开始](00_start.ipynb) |
# | 混合精度 | mixed precision | 各层取不同的位宽，把位数花在最能减小误差的地方 | [一个真实的网络](05b_network.ipynb) |
# | 有损压缩 | lossy compression | 不能完全还原的压缩，量化是其中一种 | [信息论基础](01_information_theory.ipynb) |
# | 打包 | pack | 把几个位宽不足 8 位的编码合在一个字节里 | [量化方案](02_schemes.ipynb) |
# | 解包 | unpack | 从一个字节里取出打包在一起的编码 | [量化方案](02_schemes.ipynb) |
#
# ## 信息论
#
# | 术语 | English | 一句话 | 出处 |
# |:--|:--|:--|:--|
# | 量化噪声功率 | quantization noise power | 误差平方的平均值 $\sigma_q^2$ | [信息论基础](01_information_theory.ipynb) |
# | 量化信噪比 | SQNR | 信号功率与量化噪声功率之比，以分贝（dB）为单位 | [信息论基础](01_information_theory.ipynb) |
# | 颗粒噪声 | granular noise | 没有被截断的值的误差，来自舍入 | [信息论基础](01_information_theory.ipynb) |
# | 过载噪声 | overload noise | 超出范围的值的误差，来自截断 | [信息论基础](01_information_theory.ipynb) |
# | 负载因子 | loading factor | 量化范围的半宽与信号标准差之比，$\Gamma = A/\sigma$ | [信息论基础](01_information_theory.ipynb) |
# | 抖动 | dither | 量化之前加上的随机噪声，用来使误差与信号无关 | [信息论基础](01_information_theory.ipynb) |
# | 减性抖动 | subtractive dither | 量化之前加上抖动，量化之后再减去同一个抖动 | [信息论基础](01_information_theory.ipynb) |
# | 非减性抖动 | non-subtractive dither | 量化之前加上抖动，量化之后不再减去 | [信息论基础](01_information_theory.ipynb) |
# | 偏差 | bias | 误差的均值；许多误差相加时不会互相抵消 | [信息论基础](01_information_theory.ipynb) |
# | 特征函数 | characteristic function | 随机变量 $x$ 的 $\mathbb{E}[\mathrm{e}^{\mathrm{i}ux}]$，是密度的傅里叶变换 | [信息论基础](01_information_theory.ipynb) |
# | 计算强度 | arithmetic intensity | 每搬运一个字节所做的运算次数 | [信息论基础](01_information_theory.ipynb) |
# | 算子融合 | kernel fusion | 把几步运算合成一个程序，中间结果不写回内存 | [信息论基础](01_information_theory.ipynb) |
# | 门限 | threshold | 两个相邻量化区间的分界点 | [率失真](01b_rate_distortion.ipynb) |
# | 中升型 | mid-rise | 0 是门限、不是量化级的均匀量化器 | [率失真](01b_rate_distortion.ipynb) |
# | 中平型 | mid-tread | 0 是一个量化级的均匀量化器 | [率失真](01b_rate_distortion.ipynb) |
# | 点密度 | point density | 单位长度里的量化级占总数的比例，随位置变化 | [率失真](01b_rate_distortion.ipynb) |
# | 熵 | entropy | 编码的平均信息量 $H$；无损压缩平均每个编码至少需要的比特数（独立同分布时） | [率失真](01b_rate_distortion.ipynb) |
# | 前缀码 | prefix code | 没有一个码字是另一个码字开头的变长编码 | [率失真](01b_rate_distortion.ipynb) |
# | 霍夫曼码 | Huffman code | 平均长度最短的前缀码 | [率失真](01b_rate_distortion.ipynb) |
# | 微分熵 | differential entropy | 连续随机变量的 $h = -\int f \log_2 f\,\mathrm{d}x$ | [率失真](01b_rate_distortion.ipynb) |
# | 互信息 | mutual information | 知道一个量以后，另一个量的不确定性平均减少多少 | [率失真](01b_rate_distortion.ipynb) |
# | KL 散度 | Kullback–Leibler divergence | 用一个分布代替另一个分布的代价，记作 $D_{\mathrm{KL}}$ | [率失真](01b_rate_distortion.ipynb) |
# | 码率 | rate | 平均每个值用多少比特，记作 $R$ | [率失真](01b_rate_distortion.ipynb) |
# | 失真 | distortion | 重建值与原值的差别，全课用均方误差，记作 $D$ | [率失真](01b_rate_distortion.ipynb) |
# | 率失真函数 | rate–distortion function | 码率不超过 $R$ 时失真的下确界 $D(R)$ | [率失真](01b_rate_distortion.ipynb) |
# | 矢量量化 | vector quantization | 把几个数合在一起量化 | [率失真](01b_rate_distortion.ipynb) |
#
# ## 数的格式
#
# | 术语 | English | 一句话 | 出处 |
# |:--|:--|:--|:--|
# | 数的格式 | number format | 一串位怎样解释成一个数的约定，例如 INT8、FP8 | [量化方案](02_schemes.ipynb) |
# | 无符号 | unsigned | 只表示非负数的整数格式 | [量化方案](02_schemes.ipynb) |
# | 有符号 | signed | 正数、负数都能表示的整数格式 | [量化方案](02_schemes.ipynb) |
# | 补码 | two's complement | 最高位的权取负的有符号整数表示；负数比正数多一个 | [量化方案](02_schemes.ipynb) |
# | 原码 | sign and magnitude | 最高位表示正负号、其余各位表示绝对值 | [量化方案](02_schemes.ipynb) |
# | 受限范围 | restricted range | 对称量化时不用编码 $-2^{b-1}$，两端互为相反数 | [量化方案](02_schemes.ipynb) |
# | 半字节 | nibble | 4 位，半个字节 | [量化方案](02_schemes.ipynb) |
# | 指数 | exponent | 浮点数中决定数量级的字段，也叫阶码 | [量化方案](02_schemes.ipynb) |
# | 尾数 | mantissa | 浮点数中决定有效数字的字段 | [量化方案](02_schemes.ipynb) |
# | 非规格化数 | subnormal | 指数字段为 0、前面没有隐含的 1 的浮点数，最靠近 0 | [量化方案](02_schemes.ipynb) |
# | 分位数 | quantile | 概率分布函数的反函数的值，NF4 用它来摆放量化级 | [量化方案](02_schemes.ipynb) |
#
# ## 量化参数
#
# | 术语 | English | 一句话 | 出处 |
# |:--|:--|:--|:--|
# | 缩放因子 | scale | 编码每增加 1，重建值的增量，记作 $s$ | [量化参数](03_params.ipynb) |
# | 零点 | zero point | 实数 0 对应的编码，记作 $z$，是整数 | [量化参数](03_params.ipynb) |
# | 步长 | step | 相邻两个量化级的距离，记作 $\Delta$；均匀量化时等于 $s$ | [信息论基础](01_information_theory.ipynb) |
# | 对称 | symmetric | $z = 0$ 的量化（有符号整数），正负两侧等宽 | [量化参数](03_params.ipynb) |
# | 非对称 | asymmetric | $z$ 由数据的范围决定的量化 | [量化参数](03_params.ipynb) |
# | 离群值 | outlier | 绝对值远大于其余数据的值 | [量化参数](03_params.ipynb) |
# | 校准 | calibration | 根据数据选定量化的范围 | [量化参数](03_params.ipynb) |
# | 静态 | static | 范围事先定好，运行时不再改 | [量化参数](03_params.ipynb) |
# | 动态 | dynamic | 范围在运行时按当前的输入计算 | [量化参数](03_params.ipynb) |
# | 滑动平均 | moving average | 新值与旧的平均按固定比例混合，用来积累各批数据的范围 | [量化参数](03_params.ipynb) |
# | 粒度 | granularity | 多少个数共用一组量化参数 | [量化参数](03_params.ipynb) |
# | 逐张量 | per tensor | 整个张量共用一个缩放因子 | [量化参数](03_params.ipynb) |
# | 逐通道 | per channel | 每个输出通道各有一个缩放因子 | [量化参数](03_params.ipynb) |
# | 逐组 | per group | 一行里相邻的 $g$ 个数共用一个缩放因子 | [量化参数](03_params.ipynb) |
#
# ## 量化器与整数运算
#
# | 术语 | English | 一句话 | 出处 |
# |:--|:--|:--|:--|
# | 舍入 | rounding | 把一个数换成与它最接近的整数 | [均匀量化器](04_quantizer.ipynb) |
# | 四舍五入 | round half up | 半整数一律向上的舍入 | [均匀量化器](04_quantizer.ipynb) |
# | 四舍六入五成双 | round half to even | 半整数取偶数的舍入，记作 rint | [均匀量化器](04_quantizer.ipynb) |
# | 截尾 | truncation | 去掉小数部分，即向零取整 | [均匀量化器](04_quantizer.ipynb) |
# | 随机舍入 | stochastic rounding | 按小数部分的大小随机地向上或向下取整，平均没有偏差 | [均匀量化器](04_quantizer.ipynb) |
# | 二次舍入 | double rounding | 先舍入到较细的网格，再舍入到较粗的网格，结果可能与一次舍入不同 | [均匀量化器](04_quantizer.ipynb) |
# | 饱和截断 | clipping | 把超出范围的值换成端点的值，简称截断 | [均匀量化器](04_quantizer.ipynb) |
# | 前向 | forward | 由输入计算输出和损失 | [均匀量化器](04_quantizer.ipynb) |
# | 反向 | backward | 由损失倒着求出各个量的梯度 | [均匀量化器](04_quantizer.ipynb) |
# | 直通估计器 | STE | 把阶梯函数的梯度在范围里当作 1、在范围外当作 0 的约定 | [均匀量化器](04_quantizer.ipynb) |
# | 掩码 | mask | 由 0 和 1 组成的张量，决定哪些梯度通过 | [均匀量化器](04_quantizer.ipynb) |
# | 振荡 | oscillation | 训练时权重在两个相邻的量化级之间来回跳动 | [均匀量化器](04_quantizer.ipynb) |
# | 累加器 | accumulator | 存放乘积之和的寄存器或变量，通常是 int32 | [只用整数](04b_integer.ipynb) |
# | 重新量化 | requantization | 把累加器里的和换算成输出的编码 | [只用整数](04b_integer.ipynb) |
# | 定点数 | fixed point | 小数点位置固定的数，用一个整数和一个约定的 2 的幂来表示 | [只用整数](04b_integer.ipynb) |
#
# ## 图与诊断
#
# | 术语 | English | 一句话 | 出处 |
# |:--|:--|:--|:--|
# | 热图 | heat map | 用颜色表示矩阵各个元素大小的图 | [可视化分析](05_visualization.ipynb) |
# | 频谱 | spectrum | 信号在各个频率上的强弱 | [可视化分析](05_visualization.ipynb) |
# | 谐波 | harmonic | 频率为基频整数倍的分量 | [可视化分析](05_visualization.ipynb) |
# | 混叠 | aliasing | 采样以后，高于采样率一半的频率落到较低的频率上 | [可视化分析](05_visualization.ipynb) |
# | 白噪声 | white noise | 各个频率上平均强弱相同的噪声 | [可视化分析](05_visualization.ipynb) |
#
# ## 网络
#
# | 术语 | English | 一句话 | 出处 |
# |:--|:--|:--|:--|
# | 权重 | weight | 一层中与输入相乘的数，训练以后固定 | [开始](00_start.ipynb) |
# | 偏置 | bias | 一层中加上去的向量，记作 $\beta$ | [开始](00_start.ipynb) |
# | 输出通道 | output channel | 权重矩阵的一行所对应的输出 | [开始](00_start.ipynb) |
# | 激活函数 | activation function | 接在一层后面、对每个数单独计算的函数，例如 ReLU | [开始](00_start.ipynb) |
# | 激活值 | activation | 一层的输出，随输入变化 | [开始](00_start.ipynb) |
# | 填充 | padding | 在图像四周补上的 0 | [开始](00_start.ipynb) |
# | 转置卷积 | transposed convolution | 把图像放大的一种层，权重的输出通道在第 1 维 | [开始](00_start.ipynb) |
# | 准确率 | accuracy | 答对的比例 | [开始](00_start.ipynb) |
