"""Train small towers from a recipe: ``unprompt train RECIPE.yaml``.

A recipe is a YAML file: a dataset, an objective, the folder of the tower's configuration, and the
optimiser's numbers. What it writes is a folder that the families load like any other backbone,
with a model card beside the checkpoint.
"""
