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
# ## 量化
#
# ## 信息论
#
# ## 数的格式
#
# ## 量化参数
#
# ## 量化器与整数运算
#
# ## 图与诊断
#
# ## 网络
