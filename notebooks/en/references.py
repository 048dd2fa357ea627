# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # References
#
# Citations in the text are written (author, year); here they are in the order of the authors' names. The entries follow GB/T 7714—2015. Preprints have their arXiv number, by which they can be found on arXiv's own site.
#
# - **Ashkboos et al., 2024** – ASHKBOOS S, MOHTASHAMI A, CROCI M L, et al. QuaRot: outlier-free 4-bit inference in rotated LLMs[C]//Advances in Neural Information Processing Systems 37. 2024.
# - **Banner et al., 2019** – BANNER R, NAHSHAN Y, SOUDRY D. Post training 4-bit quantization of convolutional networks for rapid-deployment[C]//Advances in Neural Information Processing Systems 32. 2019.
# - **Bengio et al., 2013** – BENGIO Y, LÉONARD N, COURVILLE A. Estimating or propagating gradients through stochastic neurons for conditional computation[EB/OL]. arXiv: 1308.3432, 2013.
# - **Bennett, 1948** – BENNETT W R. Spectra of quantized signals[J]. Bell System Technical Journal, 1948, 27(3): 446-472.
# - **Choi et al., 2018** – CHOI J, WANG Z, VENKATARAMANI S, et al. PACT: parameterized clipping activation for quantized neural networks[EB/OL]. arXiv: 1805.06085, 2018.
# - **Cover & Thomas, 2006** – COVER T M, THOMAS J A. Elements of information theory[M]. 2nd ed. Hoboken: Wiley-Interscience, 2006.
# - **Dettmers et al., 2022** – DETTMERS T, LEWIS M, BELKADA Y, et al. GPT3.int8(): 8-bit matrix multiplication for transformers at scale[C]//Advances in Neural Information Processing Systems 35. 2022. Preprint titled LLM.int8(), arXiv: 2208.07339.
# - **Dettmers et al., 2023** – DETTMERS T, PAGNONI A, HOLTZMAN A, et al. QLoRA: efficient finetuning of quantized LLMs[C]//Advances in Neural Information Processing Systems 36. 2023.
# - **Esser et al., 2020** – ESSER S K, MCKINSTRY J L, BABLANI D, et al. Learned step size quantization[C]//International Conference on Learning Representations. 2020.
# - **Fleischer, 1964** – FLEISCHER P E. Sufficient conditions for achieving minimum distortion in a quantizer[C]//IEEE International Convention Record: Part 1. 1964: 104-111.
# - **Frantar et al., 2023** – FRANTAR E, ASHKBOOS S, HOEFLER T, et al. OPTQ: accurate quantization for generative pre-trained transformers[C]//International Conference on Learning Representations. 2023. Preprint titled GPTQ, arXiv: 2210.17323.
# - **Gersho, 1979** – GERSHO A. Asymptotically optimal block quantization[J]. IEEE Transactions on Information Theory, 1979, 25(4): 373-380.
# - **Gish & Pierce, 1968** – GISH H, PIERCE J N. Asymptotically efficient quantizing[J]. IEEE Transactions on Information Theory, 1968, 14(5): 676-683.
# - **Google, 2024** – Google. LiteRT 8-bit quantization specification[EB/OL]. 2024.
# - **Gray & Neuhoff, 1998** – GRAY R M, NEUHOFF D L. Quantization[J]. IEEE Transactions on Information Theory, 1998, 44(6): 2325-2383.
# - **Gupta et al., 2015** – GUPTA S, AGRAWAL A, GOPALAKRISHNAN K, et al. Deep learning with limited numerical precision[C]//International Conference on Machine Learning. 2015: 1737-1746.
# - **Han et al., 2016** – HAN S, MAO H, DALLY W J. Deep compression: compressing deep neural networks with pruning, trained quantization and Huffman coding[C]//International Conference on Learning Representations. 2016.
# - **Huffman, 1952** – HUFFMAN D A. A method for the construction of minimum-redundancy codes[J]. Proceedings of the IRE, 1952, 40(9): 1098-1101.
# - **IEEE, 2019** – IEEE. IEEE standard for floating-point arithmetic: IEEE Std 754-2019[S]. New York: IEEE, 2019.
# - **Jacob et al., 2018** – JACOB B, KLIGYS S, CHEN B, et al. Quantization and training of neural networks for efficient integer-arithmetic-only inference[C]//IEEE/CVF Conference on Computer Vision and Pattern Recognition. 2018: 2704-2713.
# - **Krishnamoorthi, 2018** – KRISHNAMOORTHI R. Quantizing deep convolutional networks for efficient inference: a whitepaper[EB/OL]. arXiv: 1806.08342, 2018.
# - **Lin et al., 2024** – LIN J, TANG J, TANG H, et al. AWQ: activation-aware weight quantization for on-device LLM compression and acceleration[C]//Proceedings of Machine Learning and Systems 6. 2024.
# - **Liu et al., 2025** – LIU Z, ZHAO C, FEDOROV I, et al. SpinQuant: LLM quantization with learned rotations[C]//International Conference on Learning Representations. 2025.
# - **Lloyd, 1982** – LLOYD S P. Least squares quantization in PCM[J]. IEEE Transactions on Information Theory, 1982, 28(2): 129-137. First written in 1957, as an internal report.
# - **Max, 1960** – MAX J. Quantizing for minimum distortion[J]. IRE Transactions on Information Theory, 1960, 6(1): 7-12.
# - **Micikevicius et al., 2022** – MICIKEVICIUS P, STOSIC D, BURGESS N, et al. FP8 formats for deep learning[EB/OL]. arXiv: 2209.05433, 2022.
# - **Migacz, 2017** – MIGACZ S. 8-bit inference with TensorRT[R]. San Jose: NVIDIA GPU Technology Conference, 2017.
# - **Nagel et al., 2019** – NAGEL M, VAN BAALEN M, BLANKEVOORT T, et al. Data-free quantization through weight equalization and bias correction[C]//IEEE/CVF International Conference on Computer Vision. 2019: 1325-1334.
# - **Nagel et al., 2020** – NAGEL M, AMJAD R A, VAN BAALEN M, et al. Up or down? Adaptive rounding for post-training quantization[C]//International Conference on Machine Learning. 2020: 7197-7206.
# - **Nagel et al., 2021** – NAGEL M, FOURNARAKIS M, AMJAD R A, et al. A white paper on neural network quantization[EB/OL]. arXiv: 2106.08295, 2021.
# - **Nagel et al., 2022** – NAGEL M, FOURNARAKIS M, BONDARENKO Y, et al. Overcoming oscillations in quantization-aware training[C]//International Conference on Machine Learning. 2022.
# - **NVIDIA, 2023** – NVIDIA. TensorFlow quantization toolkit[EB/OL]. 2023.
# - **ONNX, 2024** – ONNX. Open neural network exchange: operator schemas (QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear) and technical notes (4 bit integer types)[EB/OL]. 2024.
# - **Open Compute Project, 2023** – Open Compute Project. OCP microscaling formats (MX) specification: version 1.0[S]. 2023.
# - **Panter & Dite, 1951** – PANTER P F, DITE W. Quantization distortion in pulse-count modulation with nonuniform spacing of levels[J]. Proceedings of the IRE, 1951, 39(1): 44-48.
# - **Roberts, 1962** – ROBERTS L G. Picture coding using pseudo-random noise[J]. IRE Transactions on Information Theory, 1962, 8(2): 145-154.
# - **Schuchman, 1964** – SCHUCHMAN L. Dither signals and their effect on quantization noise[J]. IEEE Transactions on Communication Technology, 1964, 12(4): 162-165.
# - **Shannon, 1948** – SHANNON C E. A mathematical theory of communication[J]. Bell System Technical Journal, 1948, 27(3): 379-423; 27(4): 623-656.
# - **Shannon, 1959** – SHANNON C E. Coding theorems for a discrete source with a fidelity criterion[C]//IRE National Convention Record: Part 4. 1959: 142-163.
# - **Sripad & Snyder, 1977** – SRIPAD A B, SNYDER D L. A necessary and sufficient condition for quantization errors to be uniform and white[J]. IEEE Transactions on Acoustics, Speech, and Signal Processing, 1977, 25(5): 442-448.
# - **Trushkin, 1982** – TRUSHKIN A V. Sufficient conditions for uniqueness of a locally optimal quantizer for a class of convex error weighting functions[J]. IEEE Transactions on Information Theory, 1982, 28(2): 187-198.
# - **Widrow & Kollár, 2008** – WIDROW B, KOLLÁR I. Quantization noise: roundoff error in digital computation, signal processing, control, and communications[M]. Cambridge: Cambridge University Press, 2008.
# - **Williams et al., 2009** – WILLIAMS S, WATERMAN A, PATTERSON D. Roofline: an insightful visual performance model for multicore architectures[J]. Communications of the ACM, 2009, 52(4): 65-76.
# - **Xiao et al., 2023** – XIAO G, LIN J, SEZNEC M, et al. SmoothQuant: accurate and efficient post-training quantization for large language models[C]//International Conference on Machine Learning. 2023.
# - **Yoshida, 2023** – YOSHIDA D. NF4 isn't information theoretically optimal (and that's good)[EB/OL]. arXiv: 2306.06965, 2023.
# - **Zador, 1982** – ZADOR P L. Asymptotic quantization error of continuous signals and the quantization dimension[J]. IEEE Transactions on Information Theory, 1982, 28(2): 139-149.
# - **Zhang et al., 2025** – ZHANG T, HARIRI M, ZHONG S, et al. 70% size, 100% accuracy: lossless LLM compression for efficient GPU inference via dynamic-length float (DFloat11)[EB/OL]. arXiv: 2504.11651, 2025.
