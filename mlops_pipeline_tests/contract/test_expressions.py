import pytest

from mlops_pipeline.contract.expressions import parse_expression
from mlops_pipeline_tests.data import tiny


def test_a_relation_names_its_columns_and_those_it_needs() -> None:
    parsed = parse_expression("empty(result) or abs(amount - 3 * items) <= 10 and shop != 'a'")
    assert set(parsed.columns) == {"result", "amount", "items", "shop"}
    assert set(parsed.needed) == {"amount", "items", "shop"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("amount >", "is no expression"),
        ("amount + 1", "is not true or false of a row"),
        ("amount.real > 1", "Attribute has no place"),
        ("amount[0] > 1", "Subscript has no place"),
        ("open('x') == 1", "the functions are abs, empty, minutes"),
        ("__import__('os') == 1", "the functions are abs, empty, minutes"),
        ("abs(amount, 2) > 1", "abs takes one value"),
        ("(lambda: 1)() == 1", "the functions are|Lambda has no place"),
        ("[x for x in amount] == 1", "has no place"),
        ("amount == None", "None is neither a number nor a text"),
        ("amount ** 99999999 > 1", "Pow has no place"),
    ],
)
def test_a_relation_is_never_more_than_a_comparison(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_expression(text)


def test_a_relation_of_an_unknown_column_is_a_contract_error() -> None:
    relation = {"name": "paid", "holds": "amount >= price"}
    with pytest.raises(ValueError, match="relation paid: no column is named 'price'"):
        tiny.contract(relations=[relation])
